// y[o, start_p + l] = x_p[o, l] for the three parts p of every row, start_p the lengths before it; any 4-byte element, by fours
// first_part [outer, first], in fours
// second_part [outer, second]
// third_part [outer, third]
// y [outer, row]; row = first + second + third
struct Params {
  size: u32,
  row: u32,
  first: u32,
  second: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> first_part: array<vec4u>;
@group(0) @binding(1) var<storage, read> second_part: array<vec4u>;
@group(0) @binding(2) var<storage, read> third_part: array<vec4u>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4u>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn join_three(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let outer = i / params.row;
  let place = i % params.row;
  let both = params.first + params.second;
  if (place < params.first) {
    y[i] = first_part[outer * params.first + place];
  } else if (place < both) {
    y[i] = second_part[outer * params.second + place - params.first];
  } else {
    y[i] = third_part[outer * (params.row - both) + place - both];
  }
}
