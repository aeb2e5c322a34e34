// out[n] = table[ids[n] − first] for ids inside this block of rows; with `start` = 1 other rows become 0, else they stay
// uses: elem
// ids [count]
// table [block_rows, width]
// out [count, width]
struct Params {
  count: u32,
  width: u32,
  // first row of the whole table that this block holds
  first: u32,
  block_rows: u32,
  start: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read> table: array<Elem>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn embed_forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.count * params.width) {
    return;
  }
  let row = ids[i / params.width];
  if (row >= params.first && row - params.first < params.block_rows) {
    let at = (row - params.first) * params.width + i % params.width;
    out[i] = elem_value(table[elem_index(at)], at);
  } else if (params.start == 1u) {
    out[i] = 0.0;
  }
}
