// AdamW (adamw.wgsl) with a rate, a decay and a step count for every task n: p ← p − rateₙ · decayₙ · p − rateₙ · (m / (1 − β₁^tₙ)) / (√(v / (1 − β₂^tₙ)) + ε); a task of rate 0 stays as it is, p, m and v; four numbers a lane
// uses: adamw_tasks
// gradient [offset + size or more], the gradient of the whole parameter; offset and width are multiples of 4
// factors [factor_index + 1 or more], clip factors
// tasks [size / width]: rate, decay, 1 − β₁ᵗ, 1 − β₂ᵗ
// parameter [offset + size or more], changed in [offset, offset + size)
// first [size], m
// second [size], v

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(1) var<storage, read> factors: array<f32>;
@group(0) @binding(2) var<storage, read> tasks: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> parameter: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> first: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> second: array<vec4f>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn adamw_tasks4(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size / 4u) {
    return;
  }
  let n = 4u * i / params.width;
  let place = params.offset / 4u + i;
  let task = tasks[n];
  if (task.x == 0.0) {
    return;
  }
  let g = factors[params.factor_index + n * params.factor_stride] * gradient[place];
  let m = params.beta1 * first[i] + params.gain1 * g;
  let v = params.beta2 * second[i] + params.gain2 * g * g;
  first[i] = m;
  second[i] = v;
  let p = parameter[place];
  let step = (m / task.z) / (sqrt(v / task.w) + params.epsilon);
  parameter[place] = p - task.x * task.y * p - task.x * step;
}
