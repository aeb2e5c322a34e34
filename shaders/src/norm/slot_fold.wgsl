// folded = Σ_k d / s,  tilts_k = Σ_j d (y − y0) / (C s) at k · rows + row: gradients of a head's projection y = W(γ ∘ x̂) + y0, folded over repeats of the rows before they meet W
// uses: reduce
// gradient [repeats · rows, all_heads, head_width]: d = ∂L/∂y
// value [repeats · rows, all_heads, head_width]: y
// origin [… heads · head_width from origin_offset]: y0, what a projection is where x̂ = 0
// scale [repeats · rows]: s = √(σ² + ε)
// folded [rows, heads, head_width]: of heads first_head …
// tilts [rows, heads, repeats]
struct Params {
  rows: u32,
  repeats: u32,
  all_heads: u32,
  first_head: u32,
  heads: u32,
  head_width: u32,
  width: u32,
  origin_offset: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> gradient: array<f32>;
@group(0) @binding(1) var<storage, read> value: array<f32>;
@group(0) @binding(2) var<storage, read> origin: array<f32>;
@group(0) @binding(3) var<storage, read> scale: array<f32>;
@group(0) @binding(4) var<storage, read_write> folded: array<f32>;
@group(0) @binding(5) var<storage, read_write> tilts: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn slot_fold(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.y * groups.x + group.x;
  if (index >= params.rows * params.heads) {
    return;
  }
  let row = index / params.heads;
  let head = index % params.heads;
  let place = index * params.head_width;
  let zero = params.origin_offset + head * params.head_width;
  for (var k = 0u; k < params.repeats; k++) {
    let from_row = k * params.rows + row;
    let source = (from_row * params.all_heads + params.first_head + head) * params.head_width;
    let s = scale[from_row];
    var tilt = 0.0;
    // A lane adds to its own places only.
    for (var j = lane; j < params.head_width; j += WG) {
      let d = gradient[source + j];
      tilt += d * (value[source + j] - origin[zero + j]);
      folded[place + j] = select(folded[place + j] + d / s, d / s, k == 0u);
    }
    let sum = workgroup_sum(tilt, lane);
    if (lane == 0u) {
      tilts[index * params.repeats + k] = sum / (f32(params.width) * s);
    }
  }
}
