// What an adapter can do at best, measured: arithmetic in registers, memory by kernels and by copies, and what each call of the API costs.
// Every other figure of a bench is read against these. Runs in Node and in browsers.
import { bufferCopy, bufferMaking, callsPer, download, roundTrip, tinyKernel, upload } from './api-costs.mjs';
import type { Contender } from './contender.mjs';
import { rawKernel, type RawKernel } from './raw-kernel.mjs';

/** In what a ceiling is measured. */
export type CeilingUnit = 'GFLOP/s' | 'GB/s' | 'µs';

export interface Ceiling {
  readonly id: CeilingId;
  readonly name: string;
  readonly unit: CeilingUnit;
  /** Flops or bytes of one run; 1 where the time of a run itself is the figure. */
  readonly amount: number;
  /** Ways to reach it: the best one counts. */
  readonly ways: readonly (() => Promise<Contender>)[];
}

export type CeilingId =
  | 'fma'
  | 'fma-loop'
  | 'copy-kernel'
  | 'read-kernel'
  | 'buffer-copy'
  | 'upload'
  | 'read-back'
  | 'dispatch'
  | 'pass'
  | 'submit'
  | 'bind-group'
  | 'buffer'
  | 'round-trip';

/** Sizes that suit a device, or one that computes on the CPU. */
export interface CeilingSizes {
  /** Lanes of the arithmetic loops: enough to fill the device. */
  readonly lanes: number;
  /** Steps of those loops. */
  readonly steps: number;
  /** Bytes of the memory ceilings. */
  readonly bytes: number;
}

/** Software adapters have a few cores; a large GPU has hundreds of thousands of lanes. */
export const sizesFor = (isSoftware: boolean): CeilingSizes =>
  isSoftware
    ? { lanes: 4096, steps: 2048, bytes: 32 * 2 ** 20 }
    : { lanes: 2 ** 20, steps: 4096, bytes: 128 * 2 ** 20 };

interface Loop {
  /** Independent sums of a lane. */
  readonly sums: number;
  /** Components of each. */
  readonly wide: 1 | 4;
  /** Multiply-adds of each sum in one pass through the loop. */
  readonly unroll: number;
  readonly workgroup: number;
  /** fma(s, y, x) or s · y + x: one instruction or, where the compiler must not contract, two. */
  readonly fused: boolean;
}

/** s ← s · y + x on several sums at a time; everything stays in registers where there are enough of them. */
function loopKernel({ sums, wide, unroll, workgroup, fused }: Loop, { lanes, steps }: CeilingSizes): RawKernel {
  const type = wide === 4 ? 'vec4f' : 'f32';
  const each = (line: (i: number) => string): string => Array.from({ length: sums }, (_, i) => line(i)).join('\n');
  const body = Array.from({ length: unroll }, () =>
    each((i) => (fused ? `s${i} = fma(s${i}, y, x);` : `s${i} = s${i} * y + x;`)),
  ).join('\n');
  return {
    name: `${sums} ${type} × ${unroll}, ${workgroup} lanes, ${fused ? 'fma' : 'multiply and add'}`,
    buffers: [4 * lanes * wide],
    grid: [Math.min(65535, lanes / workgroup)],
    code: `
@group(0) @binding(0) var<storage, read_write> out: array<${type}>;
@compute @workgroup_size(${workgroup}) fn main(@builtin(global_invocation_id) id: vec3u) {
  let x = ${type}(f32(id.x) * 1e-9 + 1e-3);
  let y = ${type}(0.999);
  ${each((i) => `var s${i} = x * ${i}.0;`)}
  for (var i = 0u; i < ${Math.ceil(steps / unroll)}u; i++) {
    ${body}
  }
  out[id.x] = ${Array.from({ length: sums }, (_, i) => `s${i}`).join(' + ')};
}`,
  };
}

const flopsOf = ({ sums, wide, unroll }: Loop, { lanes, steps }: CeilingSizes): number =>
  2 * lanes * sums * wide * unroll * Math.ceil(steps / unroll);

/** Few sums stay in the registers of a CPU, many hide a GPU's latency; unrolled, so that the loop's own cost is spread. */
const UNROLLED: readonly Loop[] = [
  { sums: 8, wide: 1, unroll: 16, workgroup: 8, fused: false },
  { sums: 12, wide: 1, unroll: 16, workgroup: 8, fused: false },
  { sums: 12, wide: 1, unroll: 16, workgroup: 64, fused: true },
  { sums: 8, wide: 4, unroll: 4, workgroup: 64, fused: true },
  { sums: 4, wide: 4, unroll: 16, workgroup: 256, fused: true },
];

/** As a kernel that carries its sums around a loop has it: 16 vec4 sums, one multiply-add each per round. */
const PLAIN: readonly Loop[] = [
  { sums: 16, wide: 4, unroll: 1, workgroup: 8, fused: true },
  { sums: 16, wide: 4, unroll: 1, workgroup: 64, fused: true },
];

const copyCode = (workgroup: number, each: number): string => `
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@compute @workgroup_size(${workgroup}) fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let lane = id.y * groups.x * ${workgroup}u + id.x;
  let lanes = groups.x * groups.y * ${workgroup}u;
  ${Array.from({ length: each }, (_, i) => `y[lane + ${i}u * lanes] = x[lane + ${i}u * lanes];`).join('\n')}
}`;

/** [x, y] workgroups for so many of them. */
function folded(groups: number): [number, number] {
  let y = 1;
  while (groups / y > 32_768) y *= 2;
  return [Math.ceil(groups / y), y];
}

/** A kernel that copies `bytes`, four vec4 or one a lane. */
export const copyKernel = (bytes: number, workgroup = 64, each = 1): RawKernel => ({
  name: `copy of ${each} vec4 a lane, ${workgroup} lanes`,
  code: copyCode(workgroup, each),
  buffers: [bytes, bytes],
  grid: folded(bytes / 16 / workgroup / each),
});

const readCode = `
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let lane = id.y * groups.x * 64u + id.x;
  let lanes = groups.x * groups.y * 64u;
  var s = vec4f();
  for (var i = 0u; i < 16u; i++) { s += x[lane + i * lanes]; }
  y[lane] = s;
}`;

/** All ceilings of a device; nothing is made before a way is called. */
export function ceilingsOf(device: GPUDevice, sizes: CeilingSizes): Ceiling[] {
  const { bytes } = sizes;
  const kernel = (raw: RawKernel) => () => rawKernel(device, raw);
  const loops = (all: readonly Loop[]): Pick<Ceiling, 'amount' | 'ways'> => ({
    amount: flopsOf(all[0]!, sizes),
    ways: all.map((loop) => kernel(loopKernel(loop, sizes))),
  });
  // Loops of other sizes do other amounts of work: a ceiling for each, and the best of them is the adapter's.
  const fma = UNROLLED.map((loop): Ceiling => ({
    id: 'fma',
    name: 'multiply-adds in registers',
    unit: 'GFLOP/s',
    ...loops([loop]),
  }));
  const plain: Ceiling = {
    id: 'fma-loop',
    name: 'multiply-adds carried around a loop',
    unit: 'GFLOP/s',
    ...loops(PLAIN),
  };
  return [
    ...fma,
    plain,
    {
      id: 'copy-kernel',
      name: 'copy by a kernel (read + write)',
      unit: 'GB/s',
      amount: 2 * bytes,
      ways: [copyKernel(bytes), copyKernel(bytes, 256), copyKernel(bytes, 64, 4)].map(kernel),
    },
    {
      id: 'read-kernel',
      name: 'reading by a kernel',
      unit: 'GB/s',
      amount: bytes,
      ways: [
        kernel({ name: 'read', code: readCode, buffers: [bytes, bytes / 16], grid: folded(bytes / 16 / 64 / 16) }),
      ],
    },
    {
      id: 'buffer-copy',
      name: 'copyBufferToBuffer (read + write)',
      unit: 'GB/s',
      amount: 2 * bytes,
      ways: [() => bufferCopy(device, bytes)],
    },
    { id: 'upload', name: 'writeBuffer', unit: 'GB/s', amount: bytes, ways: [() => upload(device, bytes)] },
    { id: 'read-back', name: 'copy, map and read', unit: 'GB/s', amount: bytes, ways: [() => download(device, bytes)] },
    { id: 'dispatch', name: 'a dispatch', unit: 'µs', amount: 1, ways: [kernel(tinyKernel)] },
    {
      id: 'pass',
      name: 'a dispatch in a pass of its own',
      unit: 'µs',
      amount: 1,
      ways: [() => callsPer(device, 'pass')],
    },
    {
      id: 'submit',
      name: 'a dispatch in a submit of its own',
      unit: 'µs',
      amount: 1,
      ways: [() => callsPer(device, 'submit')],
    },
    {
      id: 'bind-group',
      name: 'a dispatch with a new bind group',
      unit: 'µs',
      amount: 1,
      ways: [() => callsPer(device, 'bind-group')],
    },
    {
      id: 'buffer',
      name: 'making and destroying a buffer of 1 MiB',
      unit: 'µs',
      amount: 1,
      ways: [async () => bufferMaking(device)],
    },
    {
      id: 'round-trip',
      name: 'a dispatch and reading its 16 bytes',
      unit: 'µs',
      amount: 1,
      ways: [() => roundTrip(device)],
    },
  ];
}
