// A lane's share of Σ exp over a row of x: vec4s rank, rank + stride, … of the `count` that begin at start, four at a time.
// Needs `x: array<vec4f>`. Uses prelude/running.wgsl.
fn row_scan4(start: u32, count: u32, rank: u32, stride: u32) -> Running {
  var run = running_none();
  let end = start + count;
  var i = start + rank;
  for (; i + 3u * stride < end; i += 4u * stride) {
    run = running_sixteen(run, x[i], x[i + stride], x[i + 2u * stride], x[i + 3u * stride]);
  }
  for (; i < end; i += stride) {
    run = running_some(run, x[i], vec4<bool>(true));
  }
  return run;
}
