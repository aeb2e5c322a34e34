// s = Σ_j exp(scale · q · k_j − top),  partial = Σ_j exp(scale · q · k_j − top) v_j over the keys j of one chunk, for one query a row; a workgroup a chunk
// uses: reduce, nan
// q [batch, 1, heads, HEAD]
// k [batch, keys, heads, HEAD]
// v [batch, keys, heads, HEAD]
// lengths [batch]: keys at or beyond it are padding; read where masked = 1
// partial [batch, heads, chunks, HEAD]
// stats [batch, heads, chunks, 2]: top, s
struct Params {
  batch: u32,
  heads: u32,
  keys: u32,
  // absolute position of the query
  past: u32,
  masked: u32,
  scale: f32,
  // keys of a chunk
  chunk: u32,
  chunks: u32,
}

override WG: u32 = 64u;
// width of one head: a multiple of 4, at most 4 · WG
override HEAD: u32 = 64u;

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<vec4f>;
@group(0) @binding(3) var<storage, read> lengths: array<u32>;
@group(0) @binding(4) var<storage, read_write> partial: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> stats: array<vec2f>;
@group(0) @binding(6) var<uniform> params: Params;

var<workgroup> weights: array<f32, WG>;
var<workgroup> sums: array<vec4f, WG>;

@compute @workgroup_size(WG)
fn attention_decode_forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let item = group.y * groups.x + group.x;
  if (item >= params.batch * params.heads * params.chunks) {
    return;
  }
  let row = item / params.chunks;
  let h = row % params.heads;
  let b = row / params.heads;
  let width = HEAD / 4u;
  // Rows of one head lie this far apart, in vec4s.
  let step = params.heads * width;
  let k_base = (b * params.keys * params.heads + h) * width;
  let first = (item % params.chunks) * params.chunk;
  var end = min(params.keys, min(params.past + 1u, first + params.chunk));
  if (params.masked == 1u) {
    end = min(end, lengths[b]);
  }
  // For scores a lane takes a key; for the sum, a vec4 of the head of every stripes-th key.
  let stripes = WG / width;
  let stripe = lane / width;
  var sum = vec4f();
  var top = -1e30;
  var total = 0.0;
  for (var start = first; start < end; start += WG) {
    let key = start + lane;
    var score = -1e30;
    if (key < end) {
      var products = vec4f();
      for (var d = 0u; d < width; d++) {
        products += q[row * width + d] * k[k_base + key * step + d];
      }
      score = ((products.x + products.y) + (products.z + products.w)) * params.scale;
    }
    let new_top = max(top, workgroup_max(score, lane));
    let fade = exp(top - new_top);
    // NaN for a score of NaN and, as ∞ − ∞, of +∞; it stays in both sums.
    var weight = 0.0;
    if (key < end) {
      weight = exp_or_nan(score - new_top);
    }
    weights[lane] = weight;
    // Its barriers also lie between the weights' writing and reading.
    total = total * fade + workgroup_sum(weight, lane);
    top = new_top;
    sum *= fade;
    if (stripe < stripes) {
      for (var i = stripe; i < min(WG, end - start); i += stripes) {
        sum += weights[i] * v[k_base + (start + i) * step + lane % width];
      }
    }
    workgroupBarrier();
  }
  sums[lane] = sum;
  workgroupBarrier();
  if (lane < width) {
    for (var i = 1u; i < stripes; i++) {
      sum += sums[i * width + lane];
    }
    partial[item * width + lane] = sum;
  }
  if (lane == 0u) {
    stats[item] = vec2f(top, total);
  }
}
