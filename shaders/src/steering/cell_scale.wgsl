// y[r, g, k] = γ(t) · x[r, g, k], t = strength[r] · table[cells[r], g], γ = 1 + t, exp(t) or 1 + A · tanh(t / A): activations scaled by their cell (arXiv 2410.04962, eq. 5)
// uses: nan
// x [rows, units, width]
// table [cell_count, units]
// cells [rows]: cell_count and above leave a row as it is, bit for bit
// strength [rows]
// y [rows, units, width], size = rows · units · width
struct Params {
  size: u32,
  units: u32,
  width: u32,
  cell_count: u32,
  // A, the bound of the third form
  bound: f32,
}

override WG: u32 = 64u;
// 0: 1 + t, 1: exp(t), 2: 1 + A · tanh(t / A)
override FORM: u32 = 0u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> table: array<f32>;
@group(0) @binding(2) var<storage, read> cells: array<u32>;
@group(0) @binding(3) var<storage, read> strength: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn cell_scale(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let unit = i / params.width;
  let row = unit / params.units;
  let cell = cells[row];
  if (cell >= params.cell_count) {
    y[i] = x[i];
    return;
  }
  let t = strength[row] * table[cell * params.units + unit % params.units];
  var factor = 1.0 + t;
  if (FORM == 1u) {
    factor = exp_or_nan(t);
  }
  if (FORM == 2u) {
    factor = select(1.0 + params.bound * tanh(t / params.bound), t, is_nan(t));
  }
  y[i] = factor * x[i];
}
