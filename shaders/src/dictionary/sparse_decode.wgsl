// y[n, :] = b + Σ_{e of row n} values[e] · w[columns[e], :], in the order of e; a lane eight columns of a row
// row_starts [rows + 1]
// columns [capacity]
// values [capacity]
// w [features, width]
// bias [width], if biased
// y [rows, width]
struct Params {
  rows: u32,
  width: u32,
  // ⌈width / 8⌉
  lanes: u32,
  biased: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> row_starts: array<u32>;
@group(0) @binding(1) var<storage, read> columns: array<u32>;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn sparse_decode(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  let row = i / params.lanes;
  if (row >= params.rows) {
    return;
  }
  // Columns that lie `lanes` apart, so that neighbouring lanes read neighbours. Those beyond the width read the last one and are not stored.
  let last = params.width - 1u;
  // repeat r 0..8
  let c$r = i % params.lanes + $(r)u * params.lanes;
  // end repeat
  // repeat r 0..8
  var sum$r = 0.0;
  // end repeat
  if (params.biased != 0u) {
    // repeat r 0..8
    sum$r = bias[min(c$r, last)];
    // end repeat
  }
  let end = row_starts[row + 1u];
  for (var e = row_starts[row]; e < end; e += 1u) {
    let value = values[e];
    let base = columns[e] * params.width;
    // repeat r 0..8
    sum$r += value * w[base + min(c$r, last)];
    // end repeat
  }
  let out = row * params.width;
  // repeat r 0..8
  if (c$r <= last) { y[out + c$r] = sum$r; }
  // end repeat
}
