// y = f16(x), two to a word (low half first), rounded to nearest even in integers so that every adapter gives the same bits
// x [count]
// y [size], size = ⌈count / 2⌉; a missing last half is 0
struct Params {
  size: u32,
  count: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

// IEEE 754 binary16 bits of v. NaN → 0x7e00 with v's sign, |v| ≥ 65520 → infinity, below 2⁻¹⁴ subnormal.
fn half_bits(v: f32) -> u32 {
  let bits = bitcast<u32>(v);
  let sign = (bits >> 16u) & 0x8000u;
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return sign | 0x7e00u;
  }
  if (magnitude >= 0x477ff000u) {
    return sign | 0x7c00u;
  }
  if (magnitude >= 0x38800000u) {
    // Normal: rebias the exponent by 112, keep 10 of 23 fraction bits, round half to even.
    let rebased = magnitude - 0x38000000u;
    return sign | ((rebased + 0xfffu + ((rebased >> 13u) & 1u)) >> 13u);
  }
  if (magnitude < 0x33000000u) {
    return sign;
  }
  // Subnormal: the fraction with its hidden bit, shifted to units of 2⁻²⁴, round half to even.
  let shift = 126u - (magnitude >> 23u);
  let fraction = (magnitude & 0x7fffffu) | 0x800000u;
  let kept = fraction >> shift;
  let rest = fraction & ((1u << shift) - 1u);
  let middle = 1u << (shift - 1u);
  let up = select(0u, 1u, rest > middle || (rest == middle && (kept & 1u) == 1u));
  return sign | (kept + up);
}

@compute @workgroup_size(WG)
fn pack_f16(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let low = half_bits(x[2u * i]);
  var high = 0u;
  if (2u * i + 1u < params.count) {
    high = half_bits(x[2u * i + 1u]);
  }
  y[i] = low | (high << 16u);
}
