// y[n, ids[n, a]] ← y + Σ_{b : ids[n, b] = ids[n, a]} values[n, b], in place; repeated ids are summed in rising order by the first of them
// values [N, A], size = N · A
// ids [N, A]; ids ≥ V are skipped
// y [N, V]
struct Params {
  size: u32,
  width: u32,
  picks: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> values: array<f32>;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn scatter_logits(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let token = ids[i];
  if (token >= params.width) {
    return;
  }
  let row = i / params.picks;
  let end = (row + 1u) * params.picks;
  for (var k = row * params.picks; k < i; k += 1u) {
    if (ids[k] == token) {
      return;
    }
  }
  var total = 0.0;
  for (var k = i; k < end; k += 1u) {
    if (ids[k] == token) {
      total += values[k];
    }
  }
  y[row * params.width + token] += total;
}
