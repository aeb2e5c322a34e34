// Storage elements as f32: element i of array<Elem> w is elem_value(w[elem_index(i)], i); four at once are widen4(w4[i / 4]).
alias Elem = f32;
alias Elem4 = vec4f;

fn elem_index(i: u32) -> u32 {
  return i;
}

fn elem_value(v: Elem, i: u32) -> f32 {
  return v;
}

fn widen4(v: Elem4) -> vec4f {
  return v;
}
