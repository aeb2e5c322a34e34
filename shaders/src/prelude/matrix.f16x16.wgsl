// Subgroup matrices of f16, 16 × 16 by 16 × 16, with sums in f32, as NVIDIA has them; and the tiles that they are loaded from.
enable f16;
enable chromium_experimental_subgroup_matrix;

alias Part = f16;
alias Part4 = vec4<f16>;
alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sums = subgroup_matrix_result<f32, 16, 16>;
const MATRIX_M = 16u;
const MATRIX_N = 16u;
const MATRIX_K = 16u;
// Terms in workgroup memory at a time.
const TILE_K = 32u;
// Distances in a tile between lines of TILE_K terms and between terms of 64 lines: 8 more than there are, against bank conflicts.
const BY_TERM = 40u;
const BY_LINE = 72u;

var<workgroup> a_tile: array<f16, 2560>;
var<workgroup> b_tile: array<f16, 2560>;
// One matrix of each of four subgroups.
var<workgroup> c_tile: array<f32, 1024>;
