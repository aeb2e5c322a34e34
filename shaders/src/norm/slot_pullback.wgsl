// slots[(part · heads + h), row] = g − Σ g / C − Σ_k x̂_k tilts_k,  g = γ · outer[row, h]: LayerNorm's backward for many heads that read one stream, after slot_fold
// uses: reduce
// hat [repeats · rows, width]: x̂, the normalised stream, at k · rows + row
// gamma [width]
// outer [rows, heads, width]: the folded gradient of each head's projection, behind the LayerNorm
// tilts [rows, heads, repeats]: Σ g_k x̂_k / (C s_k)
// slots [parts · heads, rows, width], other parts untouched
struct Params {
  rows: u32,
  repeats: u32,
  heads: u32,
  width: u32,
  part: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> hat: array<f32>;
@group(0) @binding(1) var<storage, read> gamma: array<f32>;
@group(0) @binding(2) var<storage, read> outer: array<f32>;
@group(0) @binding(3) var<storage, read> tilts: array<f32>;
@group(0) @binding(4) var<storage, read_write> slots: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn slot_pullback(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.y * groups.x + group.x;
  if (index >= params.rows * params.heads) {
    return;
  }
  let head = index / params.rows;
  let row = index % params.rows;
  let slot = row * params.heads + head;
  let source = slot * params.width;
  let place = ((params.part * params.heads + head) * params.rows + row) * params.width;
  var sum_g = 0.0;
  for (var j = lane; j < params.width; j += WG) {
    sum_g += outer[source + j] * gamma[j];
  }
  let mean_g = workgroup_sum(sum_g, lane) / f32(params.width);
  // Four columns a turn, a workgroup apart: the loop over repeats and its tilts are shared by them. Columns beyond the last are read as it.
  let last = params.width - 1u;
  for (var j = lane; j < params.width; j += 4u * WG) {
    let at = vec4u(j, min(j + WG, last), min(j + 2u * WG, last), min(j + 3u * WG, last));
    var slope = vec4f(
      outer[source + at.x] * gamma[at.x],
      outer[source + at.y] * gamma[at.y],
      outer[source + at.z] * gamma[at.z],
      outer[source + at.w] * gamma[at.w],
    ) - mean_g;
    for (var k = 0u; k < params.repeats; k++) {
      let from_row = (k * params.rows + row) * params.width + at;
      slope -= tilts[slot * params.repeats + k] *
        vec4f(hat[from_row.x], hat[from_row.y], hat[from_row.z], hat[from_row.w]);
    }
    for (var i = 0u; i < min(4u, (params.width - j + WG - 1u) / WG); i++) {
      slots[place + j + i * WG] = slope[i];
    }
  }
}
