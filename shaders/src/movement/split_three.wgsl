// y_p[o, l] = x[o, start_p + l] for the three parts p of every row, start_p the lengths before it; any 4-byte element, by fours
// x [outer, row], in fours; row = first + second + third
// first_part [outer, first]
// second_part [outer, second]
// third_part [outer, third]
struct Params {
  size: u32,
  row: u32,
  first: u32,
  second: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> first_part: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> second_part: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> third_part: array<vec4u>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn split_three(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let outer = i / params.row;
  let place = i % params.row;
  let both = params.first + params.second;
  if (place < params.first) {
    first_part[outer * params.first + place] = x[i];
  } else if (place < both) {
    second_part[outer * params.second + place - params.first] = x[i];
  } else {
    third_part[outer * (params.row - both) + place - both] = x[i];
  }
}
