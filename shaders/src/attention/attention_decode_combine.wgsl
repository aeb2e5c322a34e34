// z = Σ_c w_c partial_c / Σ_c w_c s_c,  w_c = exp(top_c − max top),  lse = max top + log Σ_c w_c s_c: attention's chunks of keys put together
// uses: nan
// partial [rows, chunks, HEAD]
// stats [rows, chunks, 2]: top, s
// z [rows, HEAD]
// lse [rows]
struct Params {
  // rows · HEAD / 4
  size: u32,
  chunks: u32,
  // HEAD / 4
  width: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> partial: array<vec4f>;
@group(0) @binding(1) var<storage, read> stats: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> z: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn attention_decode_combine(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let row = i / params.width;
  let first = row * params.chunks;
  var top = -1e30;
  for (var c = 0u; c < params.chunks; c++) {
    top = max(top, stats[first + c].x);
  }
  var sum = vec4f();
  var total = 0.0;
  for (var c = 0u; c < params.chunks; c++) {
    let stat = stats[first + c];
    // A spoilt sum keeps its NaN whatever it is multiplied by.
    let weight = exp(stat.x - top);
    total += weight * stat.y;
    sum += weight * partial[(first + c) * params.width + i % params.width];
  }
  // A row without any key (length 0) is zero.
  z[i] = sum * select(1.0 / total, 0.0, total == 0.0);
  if (i % params.width == 0u) {
    lse[row] = top + select(log(max(total, 1e-30)), total, is_nan(total));
  }
}
