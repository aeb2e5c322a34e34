// d_table[q, g] = Σ_{r: cells[r] = q} γ′(strength[r] · table[q, g]) · strength[r] · terms[r, g], in the order of r; γ′ = 1, exp(t) or 1 − tanh²(t / A); no atomics
// uses: nan
// terms [rows, units]: ∂L/∂γ of each row, or ∂L/∂y where the table is added
// strength [rows]
// order: the rows of cell 0, of cell 1, …, each in rising order
// starts [cell_count + 1], where each cell's rows begin in it
// table [cell_count, units]
// d_table [cell_count, units], size = cell_count · units
struct Params {
  size: u32,
  units: u32,
  bound: f32,
}

override WG: u32 = 64u;
// As in cell_scale.
override FORM: u32 = 0u;

@group(0) @binding(0) var<storage, read> terms: array<f32>;
@group(0) @binding(1) var<storage, read> strength: array<f32>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read> starts: array<u32>;
@group(0) @binding(4) var<storage, read> table: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_table: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn cell_sum(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let cell = i / params.units;
  let unit = i % params.units;
  let value = table[i];
  var total = 0.0;
  for (var at = starts[cell]; at < starts[cell + 1u]; at++) {
    let row = order[at];
    let s = strength[row];
    var slope = s;
    if (FORM == 1u) {
      slope = s * exp_or_nan(s * value);
    }
    if (FORM == 2u) {
      let u = tanh(s * value / params.bound);
      slope = select(s * (1.0 - u * u), s * value, is_nan(s * value));
    }
    total += slope * terms[row * params.units + unit];
  }
  d_table[i] = total;
}
