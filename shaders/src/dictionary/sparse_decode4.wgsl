// y[n, :] = b + Σ_{e of row n} values[e] · w[columns[e], :], in the order of e; a lane FOURS vec4s of a row, one after the other in memory
// row_starts [rows + 1]
// columns [capacity]
// values [capacity]
// w [features, width], width a multiple of 4
// bias [width], if biased
// y [rows, width]
struct Params {
  rows: u32,
  width: u32,
  // ⌈width / (4 · FOURS)⌉
  lanes: u32,
  biased: u32,
}

override WG: u32 = 64u;
// Vec4s to a lane, at most 8.
override FOURS: u32 = 1u;
// Entries in flight: 1 or 4. CPUs, whose registers the sums fill, gain nothing by 4.
override AHEAD: u32 = 4u;

@group(0) @binding(0) var<storage, read> row_starts: array<u32>;
@group(0) @binding(1) var<storage, read> columns: array<u32>;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read> w: array<vec4f>;
@group(0) @binding(4) var<storage, read> bias: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn sparse_decode4(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  let row = i / params.lanes;
  if (row >= params.rows) {
    return;
  }
  // Those beyond the width read the last one and are not stored.
  let fours = params.width / 4u;
  let last = fours - 1u;
  // repeat r 0..8
  let c$r = (i % params.lanes) * FOURS + $(r)u;
  let at$r = min(c$r, last);
  var sum$r = vec4f();
  // end repeat
  if (params.biased != 0u) {
    // repeat r 0..8
    if ($(r)u < FOURS) { sum$r = bias[at$r]; }
    // end repeat
  }
  let end = row_starts[row + 1u];
  var e = row_starts[row];
  if (AHEAD == 4u) {
    for (; e + 3u < end; e += 4u) {
      // repeat j 0..4
      let v$j = values[e + $(j)u];
      let b$j = columns[e + $(j)u] * fours;
      // end repeat
      // repeat r 0..8
      if ($(r)u < FOURS) { sum$r = sum$r + v0 * w[b0 + at$r] + v1 * w[b1 + at$r] + v2 * w[b2 + at$r] + v3 * w[b3 + at$r]; }
      // end repeat
    }
  }
  for (; e < end; e += 1u) {
    let value = values[e];
    let base = columns[e] * fours;
    // repeat r 0..8
    if ($(r)u < FOURS) { sum$r += value * w[base + at$r]; }
    // end repeat
  }
  let out = row * fours;
  // repeat r 0..8
  if ($(r)u < FOURS && c$r <= last) { y[out + c$r] = sum$r; }
  // end repeat
}
