// Subgroup matrices of f32, 8 × 8 by 8 × 8, with sums in f32, as Apple has them; and the tiles that they are loaded from.
enable chromium_experimental_subgroup_matrix;

alias Part = f32;
alias Part4 = vec4<f32>;
alias Left = subgroup_matrix_left<f32, 8, 8>;
alias Right = subgroup_matrix_right<f32, 8, 8>;
alias Sums = subgroup_matrix_result<f32, 8, 8>;
const MATRIX_M = 8u;
const MATRIX_N = 8u;
const MATRIX_K = 8u;
// Terms in workgroup memory at a time.
const TILE_K = 16u;
// Distances in a tile between lines of TILE_K terms and between terms of 64 lines: 4 more than there are, against bank conflicts.
const BY_TERM = 20u;
const BY_LINE = 68u;

var<workgroup> a_tile: array<f32, 1280>;
var<workgroup> b_tile: array<f32, 1280>;
// One matrix of each of four subgroups.
var<workgroup> c_tile: array<f32, 256>;
