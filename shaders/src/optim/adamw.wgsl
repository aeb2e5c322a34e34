// p ← p − rate · decay · p − rate · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε), m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², g = factor · gradient (Loshchilov & Hutter 2019)
// uses: adamw
// gradient [offset + size or more], the gradient of the whole parameter
// factors [1 or more], clip factors
// parameter [offset + size or more], changed in [offset, offset + size)
// first [size], m
// second [size], v

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> gradient: array<f32>;
@group(0) @binding(1) var<storage, read> factors: array<f32>;
@group(0) @binding(2) var<storage, read_write> parameter: array<f32>;
@group(0) @binding(3) var<storage, read_write> first: array<f32>;
@group(0) @binding(4) var<storage, read_write> second: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn adamw(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let g = factors[params.factor_index] * gradient[params.offset + i];
  let m = params.beta1 * first[i] + params.gain1 * g;
  let v = params.beta2 * second[i] + params.gain2 * g * g;
  first[i] = m;
  second[i] = v;
  let p = parameter[params.offset + i];
  let step = (m / params.correction1) / (sqrt(v / params.correction2) + params.epsilon);
  parameter[params.offset + i] = p - params.rate * params.decay * p - params.rate * step;
}
