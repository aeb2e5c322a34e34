// y[o, c, i] = alpha · Σ_{c·chunk ≤ j < (c+1)·chunk} x[o, j, i]
// x [outer, axis, inner]
// y [outer, chunks, inner], chunks = ⌈axis / chunk⌉, size = outer · chunks · inner
struct Params {
  size: u32,
  axis: u32,
  inner: u32,
  chunk: u32,
  chunks: u32,
  alpha: f32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn sum_columns(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let inner = i % params.inner;
  let rest = i / params.inner;
  let first = (rest % params.chunks) * params.chunk;
  let last = min(first + params.chunk, params.axis);
  let outer = (rest / params.chunks) * params.axis;
  var total = 0.0;
  for (var j = first; j < last; j += 1u) {
    total += x[(outer + j) * params.inner + inner];
  }
  y[i] = params.alpha * total;
}
