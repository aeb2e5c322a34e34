// slots[(part · heads + h), row] = Σ_k (g − Σ g / C − x̂ Σ g x̂ / C) / s at k · rows + row,  g = γ · outer[…, h]: LayerNorm's backward for many heads that read one stream, summed over repeats of the rows
// uses: reduce
// hat [repeats · rows, width]: x̂, the normalised stream
// scale [repeats · rows]: s = √(σ² + ε)
// gamma [width]
// outer [repeats · rows, heads, width]: gradient behind the LayerNorm of each head
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
@group(0) @binding(1) var<storage, read> scale: array<f32>;
@group(0) @binding(2) var<storage, read> gamma: array<f32>;
@group(0) @binding(3) var<storage, read> outer: array<f32>;
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
  let place = ((params.part * params.heads + head) * params.rows + row) * params.width;
  for (var k = 0u; k < params.repeats; k++) {
    let from_row = k * params.rows + row;
    let source = (from_row * params.heads + head) * params.width;
    let base = from_row * params.width;
    var sum_g = 0.0;
    var sum_gx = 0.0;
    for (var j = lane; j < params.width; j += WG) {
      let g = outer[source + j] * gamma[j];
      sum_g += g;
      sum_gx += g * hat[base + j];
    }
    let mean_g = workgroup_sum(sum_g, lane) / f32(params.width);
    let mean_gx = workgroup_sum(sum_gx, lane) / f32(params.width);
    // A lane adds to its own places only.
    for (var j = lane; j < params.width; j += WG) {
      let slope = (outer[source + j] * gamma[j] - mean_g - hat[base + j] * mean_gx) / scale[from_row];
      slots[place + j] = select(slots[place + j] + slope, slope, k == 0u);
    }
  }
}
