// d[n, j, first + c] = s[n] · Σ_p partial[p, j, c] over the parts p of task n, in their order; other columns, and tasks without parts, are 0
// partial [parts, rank, width]
// starts [tasks + 1]: first part of each task
// scales [tasks], s, if scaled; else s = 1
// d [n, j, c] at n · task_stride + j · rank_stride + c · column_stride, c < columns
struct Params {
  task_count: u32,
  rank: u32,
  width: u32,
  first: u32,
  columns: u32,
  task_stride: u32,
  rank_stride: u32,
  column_stride: u32,
  scaled: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> partial: array<f32>;
@group(0) @binding(1) var<storage, read> starts: array<u32>;
@group(0) @binding(2) var<storage, read> scales: array<f32>;
@group(0) @binding(3) var<storage, read_write> d: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn low_rank_join(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  let column = i % params.columns;
  let j = (i / params.columns) % params.rank;
  let task = i / (params.columns * params.rank);
  if (task >= params.task_count) {
    return;
  }
  var total = 0.0;
  if (column >= params.first && column < params.first + params.width) {
    let end = starts[task + 1u];
    for (var p = starts[task]; p < end; p += 1u) {
      total += partial[(p * params.rank + j) * params.width + column - params.first];
    }
  }
  if (params.scaled != 0u) {
    total *= scales[task];
  }
  d[task * params.task_stride + j * params.rank_stride + column * params.column_stride] = total;
}
