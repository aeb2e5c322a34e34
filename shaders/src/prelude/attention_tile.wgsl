// Tiles of causal attention: 32 queries by 32 keys of one head for a workgroup of 64 lanes. Lane (r, c) = (lane / 8, lane % 8) has the
// 4 × 4 pairs of rows r + 8 i and columns c + 8 j of a tile of products, and of a sum over its rows the rows r + 8 i and the vec4s c + 8 n.
// Needs `override HEAD: u32`, the width of one head: a multiple of 4, at most 128.
const TILE = 32u;
const LANES = 64u;
// vec4s of a row that are staged for a product, and their distance: one more, so that eight rows lie in different banks
const SLICE = 8u;
const STRIDE = 9u;
// vec4s staged: slices of two tiles for a product; as many whole rows as fit for a sum
const STAGED = 576u;
// distance of the rows of a tile of pairs
const PAIRS = 33u;

// 32 rows of the first factor, then 32 of the second; or rows of the second factor of a sum
var<workgroup> staged: array<vec4f, 576>;
// weights of the pairs of a tile, [rows of a sum's first factor transposed, 32] at distance PAIRS
var<workgroup> pairs: array<f32, 1056>;

// Rows of a head that are staged at once for a sum.
fn rows_staged() -> u32 {
  return min(TILE, STAGED / (HEAD / 4u));
}

// products[4 i + j] += the staged slices' row r + 8 i times row c + 8 j of the other.
fn add_products(products: ptr<function, array<f32, 16>>, lane: u32) {
  for (var d = 0u; d < SLICE; d++) {
    var b: array<vec4f, 4>;
    for (var j = 0u; j < 4u; j++) {
      b[j] = staged[(TILE + lane % 8u + 8u * j) * STRIDE + d];
    }
    for (var i = 0u; i < 4u; i++) {
      let a = staged[(lane / 8u + 8u * i) * STRIDE + d];
      for (var j = 0u; j < 4u; j++) {
        (*products)[4u * i + j] += dot(a, b[j]);
      }
    }
  }
}

// sums[4 i + n] += Σ_row pairs[r + 8 i][first + row] times vec4 c + 8 n of the staged row, for `count` rows.
fn add_rows(sums: ptr<function, array<vec4f, 16>>, first: u32, count: u32, lane: u32) {
  let width = HEAD / 4u;
  for (var row = 0u; row < count; row++) {
    var weight: array<f32, 4>;
    for (var i = 0u; i < 4u; i++) {
      weight[i] = pairs[(lane / 8u + 8u * i) * PAIRS + first + row];
    }
    for (var n = 0u; n < 4u; n++) {
      let d = lane % 8u + 8u * n;
      if (d < width) {
        let v = staged[row * width + d];
        for (var i = 0u; i < 4u; i++) {
          (*sums)[4u * i + n] += weight[i] * v;
        }
      }
    }
  }
}
