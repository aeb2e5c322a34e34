// Small kernels for the tests of this package, written as the generated modules of @limn/shaders are.
import { defineKernel, type ShaderModule } from '../src/index.js';

/** A shader module from WGSL text, with literal types. */
export function wgsl<
  const N extends string,
  const B extends ShaderModule['bindings'],
  const P extends ShaderModule['params'],
  const O extends ShaderModule['overrides'],
  const U extends ShaderModule['uses'],
>(module: {
  name: N;
  bindings: B;
  params: P;
  overrides: O;
  uses: U;
  code: string;
  preludes?: Record<string, string>;
  requires?: readonly string[];
}): ShaderModule<N, B, P, O, U> {
  return { preludes: {}, requires: [], file: `test/${module.name}.wgsl`, ...module };
}

const threads = (count: number, WG: number): readonly [number, number, number] => [Math.ceil(count / WG), 1, 1];

/** y = a x + b z, elementwise. */
export const combine = defineKernel(
  wgsl({
    name: 'combine',
    bindings: [
      { name: 'x', access: 'read' },
      { name: 'z', access: 'read' },
      { name: 'y', access: 'write' },
    ],
    params: [
      { name: 'count', type: 'u32' },
      { name: 'a', type: 'f32' },
      { name: 'b', type: 'f32' },
    ],
    overrides: { WG: 64 },
    uses: [],
    code: `// y = a x + b z
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
struct Params { count: u32, a: f32, b: f32 }
@group(0) @binding(3) var<uniform> params: Params;
override WG: u32 = 64u;
@compute @workgroup_size(WG) fn combine(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= params.count) { return; }
  y[id.x] = params.a * x[id.x] + params.b * z[id.x];
}
`,
  }),
  { grid: ({ count }, { WG }) => threads(count, WG), work: ({ count }) => 3 * count },
);

/** y = y + a, in place. */
export const increment = defineKernel(
  wgsl({
    name: 'increment',
    bindings: [{ name: 'y', access: 'write' }],
    params: [
      { name: 'count', type: 'u32' },
      { name: 'a', type: 'f32' },
    ],
    overrides: { WG: 64 },
    uses: [],
    code: `// y = y + a
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
struct Params { count: u32, a: f32 }
@group(0) @binding(1) var<uniform> params: Params;
override WG: u32 = 64u;
@compute @workgroup_size(WG) fn increment(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < params.count) { y[id.x] += params.a; }
}
`,
  }),
  { grid: ({ count }, { WG }) => threads(count, WG), work: ({ count }) => count },
);
