// d_values[e] = dy[entry_rows[e], :] · w[columns[e], :], 0 behind the last entry; SPAN lanes an entry
// uses: span
// entry_rows [size]
// columns [size]
// dy [rows, width]
// w [features, width]
// d_values [size]
struct Params {
  size: u32,
  rows: u32,
  width: u32,
}

override WG: u32 = 64u;
override SPAN: u32 = 16u;

@group(0) @binding(0) var<storage, read> entry_rows: array<u32>;
@group(0) @binding(1) var<storage, read> columns: array<u32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> w: array<f32>;
@group(0) @binding(4) var<storage, read_write> d_values: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn sparse_dot(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = (group.y * groups.x + group.x) * (WG / SPAN);
  if (first >= params.size) {
    return;
  }
  let e = first + lane / SPAN;
  // Lanes without an entry go along, since all must meet at the barriers.
  let row = entry_rows[min(e, params.size - 1u)];
  let column = columns[min(e, params.size - 1u)];
  let count = select(0u, params.width, e < params.size && row < params.rows);
  var sum = 0.0;
  // Four at a time; those beyond the last column are multiplied by 0.
  let last = params.width - 1u;
  for (var c = lane % SPAN; c < count; c += 4u * SPAN) {
    // repeat r 0..4
    let p$r = dy[row * params.width + min(c + $(r)u * SPAN, last)] * w[column * params.width + min(c + $(r)u * SPAN, last)];
    // end repeat
    // repeat r 0..4
    sum += select(0.0, p$r, c + $(r)u * SPAN <= last);
    // end repeat
  }
  let total = span_sum(sum, lane);
  if (lane % SPAN == 0u && e < params.size) {
    d_values[e] = total;
  }
}
