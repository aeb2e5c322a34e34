// A lane's share of Σ exp over a row of x: numbers rank, rank + stride, … of those that begin at start, sixteen at a time.
// Needs `x: array<f32>` and width in Params. Uses prelude/running.wgsl.
fn row_scan(start: u32, rank: u32, stride: u32) -> Running {
  var run = running_none();
  let end = start + params.width;
  let steps = stride * vec4u(0u, 1u, 2u, 3u);
  var i = start + rank;
  for (; i + 15u * stride < end; i += 16u * stride) {
    let a = i + steps;
    let b = a + 4u * stride;
    let c = b + 4u * stride;
    let d = c + 4u * stride;
    run = running_sixteen(
      run,
      vec4f(x[a.x], x[a.y], x[a.z], x[a.w]),
      vec4f(x[b.x], x[b.y], x[b.z], x[b.w]),
      vec4f(x[c.x], x[c.y], x[c.z], x[c.w]),
      vec4f(x[d.x], x[d.y], x[d.z], x[d.w]),
    );
  }
  for (; i < end; i += 4u * stride) {
    let at = min(i + steps, vec4u(end - 1u));
    run = running_some(run, vec4f(x[at.x], x[at.y], x[at.z], x[at.w]), i + steps < vec4u(end));
  }
  return run;
}
