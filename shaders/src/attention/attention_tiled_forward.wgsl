// z_t = Σ_{j ≤ past + t} p_tj v_j,  p = softmax_j(scale · q_t · k_j), by a running maximum and sum (Dao et al. 2022); a workgroup 32 queries of a head
// uses: attention, attention_tile, nan
// q [batch, queries, heads, HEAD]
// k [batch, keys, heads, HEAD]
// v [batch, keys, heads, HEAD]
// lengths [batch]: keys at or beyond it are padding; read where masked = 1
// z [batch, queries, heads, HEAD]
// lse [batch, heads, queries]: log Σ_j exp(scale · q_t · k_j)

override HEAD: u32 = 64u;

@group(0) @binding(0) var<storage, read> q: array<vec4f>;
@group(0) @binding(1) var<storage, read> k: array<vec4f>;
@group(0) @binding(2) var<storage, read> v: array<vec4f>;
@group(0) @binding(3) var<storage, read> lengths: array<u32>;
@group(0) @binding(4) var<storage, read_write> z: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

// of half a row, two lanes a row
var<workgroup> halves: array<f32, 64>;
// a factor for each row's sum
var<workgroup> factors: array<f32, 32>;

@compute @workgroup_size(64)
fn attention_tiled_forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let tiles = (params.queries + TILE - 1u) / TILE;
  let item = group.y * groups.x + group.x;
  if (item >= params.batch * params.heads * tiles) {
    return;
  }
  // Late queries see most keys: they go first.
  let first = (tiles - 1u - item / (params.batch * params.heads)) * TILE;
  let h = item % params.heads;
  let b = (item / params.heads) % params.batch;
  let width = HEAD / 4u;
  // Rows of one head lie this far apart, in vec4s.
  let step = params.heads * width;
  let q_base = (b * params.queries * params.heads + h) * width;
  let k_base = (b * params.keys * params.heads + h) * width;
  var limit = params.keys;
  if (params.masked == 1u) {
    limit = min(limit, lengths[b]);
  }
  let end = min(limit, params.past + min(first + TILE, params.queries));
  let row_end = min(limit, params.past + first + lane / 2u + 1u);

  var sums: array<vec4f, 16>;
  // Of row lane / 2; two lanes hold the same.
  var top = -1e30;
  var total = 0.0;
  for (var start = 0u; start < end; start += TILE) {
    var scores = array<f32, 16>();
    for (var slice = 0u; slice < width; slice += SLICE) {
      workgroupBarrier();
      for (var i = lane; i < 2u * TILE * SLICE; i += LANES) {
        let row = i / SLICE;
        let d = slice + i % SLICE;
        var value = vec4f();
        if (row < TILE) {
          if (first + row < params.queries && d < width) {
            value = q[q_base + (first + row) * step + d];
          }
        } else if (start + row - TILE < end && d < width) {
          value = k[k_base + (start + row - TILE) * step + d];
        }
        staged[row * STRIDE + i % SLICE] = value;
      }
      workgroupBarrier();
      add_products(&scores, lane);
    }
    for (var i = 0u; i < 4u; i++) {
      for (var j = 0u; j < 4u; j++) {
        pairs[(lane / 8u + 8u * i) * PAIRS + lane % 8u + 8u * j] = scores[4u * i + j] * params.scale;
      }
    }
    workgroupBarrier();
    // Each lane half a row: its maximum, then its terms.
    let from_key = (lane % 2u) * (TILE / 2u);
    let at = (lane / 2u) * PAIRS + from_key;
    let seen = min(TILE / 2u, max(row_end, start + from_key) - start - from_key);
    var half_top = top;
    for (var j = 0u; j < seen; j++) {
      half_top = max(half_top, pairs[at + j]);
    }
    halves[lane] = half_top;
    workgroupBarrier();
    let new_top = max(halves[lane & ~1u], halves[lane | 1u]);
    let fade = exp(top - new_top);
    var half_sum = 0.0;
    for (var j = 0u; j < TILE / 2u; j++) {
      var weight = 0.0;
      if (j < seen) {
        // NaN for a score of NaN and, as ∞ − ∞, of +∞; it stays in both sums.
        weight = exp_or_nan(pairs[at + j] - new_top);
      }
      pairs[at + j] = weight;
      half_sum += weight;
    }
    top = new_top;
    if (lane % 2u == 0u) {
      factors[lane / 2u] = fade;
    }
    workgroupBarrier();
    halves[lane] = half_sum;
    for (var i = 0u; i < 4u; i++) {
      let factor = factors[lane / 8u + 8u * i];
      for (var n = 0u; n < 4u; n++) {
        sums[4u * i + n] *= factor;
      }
    }
    for (var row = 0u; row < min(TILE, end - start); row += rows_staged()) {
      workgroupBarrier();
      let count = min(rows_staged(), min(TILE, end - start) - row);
      for (var i = lane; i < count * width; i += LANES) {
        staged[i] = v[k_base + (start + row + i / width) * step + i % width];
      }
      workgroupBarrier();
      add_rows(&sums, row, count, lane);
    }
    // The barriers above lie between the halves' writing and this.
    total = total * fade + (halves[lane & ~1u] + halves[lane | 1u]);
  }
  workgroupBarrier();
  if (lane % 2u == 0u) {
    // A row without any key (length 0) is zero.
    factors[lane / 2u] = select(1.0 / total, 0.0, total == 0.0);
    let t = first + lane / 2u;
    if (t < params.queries) {
      lse[(b * params.heads + h) * params.queries + t] = top + select(log(max(total, 1e-30)), total, is_nan(total));
    }
  }
  workgroupBarrier();
  for (var i = 0u; i < 4u; i++) {
    let row = lane / 8u + 8u * i;
    for (var n = 0u; n < 4u; n++) {
      let d = lane % 8u + 8u * n;
      if (first + row < params.queries && d < width) {
        z[q_base + (first + row) * step + d] = sums[4u * i + n] * factors[row];
      }
    }
  }
}
