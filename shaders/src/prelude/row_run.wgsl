// Which neighbours of a row a workgroup takes, where each stands for itself: numbers [first, end) of `row`, which starts at `start`.
// Rows are cut into runs of params.run numbers; needs width and run in Params. Beyond the last row there are none.
struct RowRun {
  row: u32,
  start: u32,
  first: u32,
  end: u32,
}

fn row_run(group: vec3u, groups: vec3u) -> RowRun {
  let runs = (params.width + params.run - 1u) / params.run;
  let number = group.y * groups.x + group.x;
  let row = number / runs;
  let first = (number - row * runs) * params.run;
  return RowRun(row, row * params.width, first, min(first + params.run, params.width));
}
