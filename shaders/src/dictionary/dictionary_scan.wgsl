// y[i] = Σ_{j < i} g(x[j]), i = 0 … count; g(x) = x, or with chunk > 0 the number of chunks of a list longer than one, else 0; one workgroup
// x [count]
// y [count + 1]
struct Params {
  count: u32,
  chunk: u32,
}

override WG: u32 = 256u;

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

var<workgroup> sums: array<u32, WG>;

fn counted(i: u32) -> u32 {
  let length = x[i];
  if (params.chunk == 0u) {
    return length;
  }
  return select(0u, (length + params.chunk - 1u) / params.chunk, length > params.chunk);
}

@compute @workgroup_size(WG)
fn dictionary_scan(@builtin(local_invocation_index) lane: u32) {
  let each = (params.count + WG - 1u) / WG;
  let first = min(lane * each, params.count);
  let last = min(first + each, params.count);
  var own = 0u;
  for (var i = first; i < last; i += 1u) {
    own += counted(i);
  }
  sums[lane] = own;
  workgroupBarrier();
  var sum = 0u;
  for (var other = 0u; other < lane; other += 1u) {
    sum += sums[other];
  }
  for (var i = first; i < last; i += 1u) {
    y[i] = sum;
    sum += counted(i);
  }
  if (lane == WG - 1u) {
    y[params.count] = sum;
  }
}
