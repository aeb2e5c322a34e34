// d_table[id − first] = Σ_{n: ids[n] = id} d_out[n], in the order of n: the lane at an id's first place follows the links; no atomics
// ids [count]
// links [count], from embed_links
// d_out [count, width]
// d_table [block_rows, width], zero before
struct Params {
  count: u32,
  width: u32,
  // first row of the whole table that this block holds
  first: u32,
  block_rows: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read> links: array<u32>;
@group(0) @binding(2) var<storage, read> d_out: array<f32>;
@group(0) @binding(3) var<storage, read_write> d_table: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn embed_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.count * params.width) {
    return;
  }
  let n = i / params.width;
  let row = ids[n];
  if ((links[n] >> 31u) == 0u || row < params.first || row - params.first >= params.block_rows) {
    return;
  }
  let col = i % params.width;
  var sum = 0.0;
  for (var at = n; at < params.count; at = links[at] & 0x7fffffffu) {
    sum += d_out[at * params.width + col];
  }
  d_table[(row - params.first) * params.width + col] = sum;
}
