// Counter-based random numbers: Philox 4×32-10 (Salmon et al. 2011), so that number i of a stream needs no state and no order.
// The key is the seed (low, high word), the counter is (block, 0, stream, 0); @limn/tensor's random.ts gives the same bits on the CPU.

fn multiply_high(a: u32, b: u32) -> u32 {
  let a0 = a & 0xffffu;
  let a1 = a >> 16u;
  let b0 = b & 0xffffu;
  let b1 = b >> 16u;
  let low = a0 * b0;
  let cross = a1 * b0 + (low >> 16u);
  let other = a0 * b1 + (cross & 0xffffu);
  return a1 * b1 + (cross >> 16u) + (other >> 16u);
}

fn philox(seed: vec2u, block: u32, stream: u32) -> vec4u {
  var counter = vec4u(block, 0u, stream, 0u);
  var key = seed;
  for (var round = 0; round < 10; round += 1) {
    let high0 = multiply_high(0xD2511F53u, counter.x);
    let low0 = 0xD2511F53u * counter.x;
    let high1 = multiply_high(0xCD9E8D57u, counter.z);
    let low1 = 0xCD9E8D57u * counter.z;
    counter = vec4u(high1 ^ counter.y ^ key.x, low1, high0 ^ counter.w ^ key.y, low0);
    key += vec2u(0x9E3779B9u, 0xBB67AE85u);
  }
  return counter;
}

// Number `index` of a stream: one of the four words of block index / 4.
fn random_word(seed: vec2u, stream: u32, index: u32) -> u32 {
  return philox(seed, index >> 2u, stream)[index & 3u];
}

// A normal number in units of 1 / (65536 · 4.929368) as an integer: a binomial of 96 fair bits, made continuous by a triangular
// fraction, with the cubic Cornish–Fisher term that takes its kurtosis away. |F − Φ| < 2·10⁻⁴, tail masses within 1.1 % to 5 σ.
fn random_normal_units(seed: vec2u, stream: u32, index: u32) -> i32 {
  let word = philox(seed, index, stream);
  let ones = i32(countOneBits(word.x) + countOneBits(word.y) + countOneBits(word.z)) - 48;
  let fraction = i32((word.w & 0xffffu) + (word.w >> 16u)) - 65535;
  let x = ones * 65536 + fraction;
  let y = x >> 8u;
  return x + (((y * y) >> 12u) * y) / 1650;
}
