// d_values[e] = dy[entry_rows[e], :] · w[columns[e], :], 0 behind the last entry; SPAN lanes four entries
// uses: span
// entry_rows [size]
// columns [size]
// dy [rows, width], width a multiple of 4
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
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read> w: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> d_values: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn sparse_dot4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = (group.y * groups.x + group.x) * (4u * WG / SPAN);
  if (first >= params.size) {
    return;
  }
  let e = first + 4u * (lane / SPAN);
  let fours = params.width / 4u;
  // Lanes without an entry go along, since all must meet at the barriers.
  // repeat j 0..4
  let e$j = min(e + $(j)u, params.size - 1u);
  let row$j = entry_rows[e$j];
  let some$j = e + $(j)u < params.size && row$j < params.rows;
  let w$j = select(0u, columns[e$j] * fours, some$j);
  let y$j = select(0u, row$j * fours, some$j);
  var sum$j = 0.0;
  // end repeat
  // Entries of one row come one after the other.
  let shared_row = some3 && row0 == row3;
  let count = select(0u, fours, some0);
  if (shared_row) {
    for (var c = lane % SPAN; c < count; c += SPAN) {
      let d = dy[y0 + c];
      // repeat j 0..4
      sum$j += dot(d, w[w$j + c]);
      // end repeat
    }
  } else {
    for (var c = lane % SPAN; c < count; c += SPAN) {
      // repeat j 0..4
      sum$j += dot(dy[y$j + c], w[w$j + c]);
      // end repeat
    }
  }
  // repeat j 0..4
  let total$j = span_sum(sum$j, lane);
  // end repeat
  if (lane % SPAN == 0u) {
    // repeat j 0..4
    if (e + $(j)u < params.size) { d_values[e + $(j)u] = select(0.0, total$j, some$j); }
    // end repeat
  }
}
