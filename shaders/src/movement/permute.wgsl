// y[i₀, …, i₅] = x[Σ iₖ · strideₖ]; any 4-byte element
// x [size]
// y [size₀, …, size₅] with leading axes of 1 where the rank is below 6
struct Params {
  size: u32,
  size1: u32,
  size2: u32,
  size3: u32,
  size4: u32,
  size5: u32,
  stride0: u32,
  stride1: u32,
  stride2: u32,
  stride3: u32,
  stride4: u32,
  stride5: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn permute(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  var rest = i;
  var source = (rest % params.size5) * params.stride5;
  rest = rest / params.size5;
  source += (rest % params.size4) * params.stride4;
  rest = rest / params.size4;
  source += (rest % params.size3) * params.stride3;
  rest = rest / params.size3;
  source += (rest % params.size2) * params.stride2;
  rest = rest / params.size2;
  source += (rest % params.size1) * params.stride1;
  rest = rest / params.size1;
  source += rest * params.stride0;
  y[i] = x[source];
}
