// slots[r, i] = base[i] + Σ_{e = start[r]}^{start[r+1] − 1} ± changes[source[e], i]   (x_v = x'_v + Σ_{(u,v) ∈ C} (ẑ_u − z'_u))
// base [inner], inner = B·T·C: the corrupted run's own stream where these slots read
// changes [nodes, inner]: ẑ_u − z'_u of every node computed so far
// start [rows + 1]: the edges of row r (one circuit's slot) are start[r] … start[r + 1] − 1
// source [edges]: rows of `changes`; where bit 31 is set, row ~source[e] is subtracted
// slots [rows, inner]
struct Params {
  rows: u32,
  inner: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> base: array<f32>;
@group(0) @binding(1) var<storage, read> changes: array<f32>;
@group(0) @binding(2) var<storage, read> start: array<u32>;
@group(0) @binding(3) var<storage, read> source: array<u32>;
@group(0) @binding(4) var<storage, read_write> slots: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn circuit_slots(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = id.y * groups.x * WG + id.x;
  if (n >= params.rows * params.inner) {
    return;
  }
  let r = n / params.inner;
  let i = n % params.inner;
  var total = base[i];
  for (var e = start[r]; e < start[r + 1u]; e++) {
    let row = source[e];
    if ((row >> 31u) == 0u) {
      total += changes[row * params.inner + i];
    } else {
      total -= changes[~row * params.inner + i];
    }
  }
  slots[n] = total;
}
