// partial[split, b, u, v] = Σ_{k in split} delta[u, b, k] · gradient[v, b, k]   (arXiv 2403.17806: score(u → v) = Δ_u · ∂L/∂x_v)
// delta [≥ sources, examples, inner], inner = T·C
// gradient [slots, examples, inner]
// partial [ceil(inner / split), examples, sources, slots]
// One workgroup makes a tile of TILE sources × TILE slots of one example over one range of k: its lanes walk k side by side,
// each with TILE² sums of its own, which are added lane by lane at the end. The ranges do not depend on the padding, so
// that zeros behind the last real position change no bit.
const TILE: u32 = 4u;
const SUMS: u32 = 16u;

struct Params {
  sources: u32,
  slots: u32,
  examples: u32,
  inner: u32,
  split: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> delta: array<f32>;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> partial: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

var<workgroup> scratch: array<f32, SUMS * WG>;

// Where a lane's part of a sum lies: turned by one lane a sum, so that the summing lanes read different banks.
fn scratch_at(which: u32, lane: u32) -> u32 {
  return which * WG + (lane + which) % WG;
}

@compute @workgroup_size(WG)
fn edge_scores_partial(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let slot_tiles = (params.slots + TILE - 1u) / TILE;
  let source = (group.x / slot_tiles) * TILE;
  let slot = (group.x % slot_tiles) * TILE;
  let example = group.y;
  let begin = group.z * params.split;
  let end = min(begin + params.split, params.inner);

  // Rows beyond the last are read as the last and not written.
  var d: array<u32, TILE>;
  var g: array<u32, TILE>;
  for (var i = 0u; i < TILE; i++) {
    d[i] = (min(source + i, params.sources - 1u) * params.examples + example) * params.inner;
    g[i] = (min(slot + i, params.slots - 1u) * params.examples + example) * params.inner;
  }
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  for (var k = begin + lane; k < end; k += WG) {
    let column = vec4f(gradient[g[0] + k], gradient[g[1] + k], gradient[g[2] + k], gradient[g[3] + k]);
    sum0 += delta[d[0] + k] * column;
    sum1 += delta[d[1] + k] * column;
    sum2 += delta[d[2] + k] * column;
    sum3 += delta[d[3] + k] * column;
  }
  for (var j = 0u; j < TILE; j++) {
    scratch[scratch_at(j, lane)] = sum0[j];
    scratch[scratch_at(TILE + j, lane)] = sum1[j];
    scratch[scratch_at(2u * TILE + j, lane)] = sum2[j];
    scratch[scratch_at(3u * TILE + j, lane)] = sum3[j];
  }
  workgroupBarrier();
  for (var which = lane; which < SUMS; which += WG) {
    let u = source + which / TILE;
    let v = slot + which % TILE;
    if (u < params.sources && v < params.slots) {
      var total = 0.0;
      for (var i = 0u; i < WG; i++) {
        total += scratch[scratch_at(which, i)];
      }
      partial[((group.z * params.examples + example) * params.sources + u) * params.slots + v] = total;
    }
  }
}
