// Peers: models in ONNX's format as they are, results of every peer that is at hand against float64, and what is said of those that are not.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, test, type TestContext } from 'vitest';
import type { Contender, JobSpec, OpenPeer, Peer } from '../harness/contender.mjs';
import { ChildConversation } from '../peers/child-conversation.mjs';
import { openPeers, PEER_NAMES } from '../peers/index.mjs';
import { encodeModel, type OnnxGraph } from '../peers/onnx-encoding.mjs';
import { download, jobGraph } from '../peers/onnx-model.mjs';
import { openJax } from '../peers/jax.mjs';
import { openOnnxruntimeCpu, openOnnxruntimeWebgpu } from '../peers/onnxruntime.mjs';
import { INSTALL, installed } from '../peers/packages.mjs';
import { openPytorch } from '../peers/pytorch.mjs';
import { openTfjs } from '../peers/tfjs.mjs';
import { decodeSpec, matmulSpec, referenceResult, rowSpec, trunkSpec } from './job-reference.js';

const arePackagesThere = existsSync(path.join(import.meta.dirname, '../peers/node_modules/onnxruntime-node'));
const needPackages = (context: TestContext): void =>
  context.skip(!arePackagesThere, `the peers' packages are not installed: ${INSTALL}`);

const tiny = { layers: 2, heads: 2, width: 16 };
/** 70 tokens: more than a tile of anybody's fused attention. */
const specs: Readonly<Record<string, JobSpec>> = {
  'a square matmul': matmulSpec(33, 32, 32),
  'a matmul of odd sizes': matmulSpec(7, 13, 19),
  'a row times a matrix': matmulSpec(1, 64, 64),
  layernorm: rowSpec('layernorm', 7, 96),
  softmax: rowSpec('softmax', 7, 96),
  gelu: rowSpec('gelu', 7, 96),
  'the trunk': trunkSpec({ layers: 2, heads: 2, width: 64 }, 70),
  'the trunk of five tokens': trunkSpec(tiny, 5),
  'the trunk of one token': trunkSpec(tiny, 1),
  decoding: decodeSpec(tiny, 37),
};

/** Values are sums of up to a few hundred float32 products through a few layers: 1e-5 of the largest is ten times what any peer is off. */
async function expectResult(contender: Contender, spec: JobSpec): Promise<void> {
  const expected = referenceResult(spec);
  const result = await contender.result();
  expect(result).toHaveLength(expected.length);
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const error = expected.reduce((most, value, i) => {
    const off = Math.abs(value - result[i]!);
    return off <= most ? most : off;
  }, 0);
  expect(error / scale).toBeLessThan(1e-5);
}

/** jax-js unrolls small shapes into kernels that take a software adapter minutes to compile, for each shape anew. */
const slowForJax = ['the trunk', 'the trunk of one token'];

/** Every job that a peer can do gives what it should, before and after runs of several counts. */
async function expectAll(peer: Peer, without: readonly string[] = []): Promise<string[]> {
  const refused: string[] = [];
  for (const [name, spec] of Object.entries(specs)) {
    if (without.includes(name)) continue;
    const contender = await peer.prepare(spec);
    if (!contender) {
      refused.push(name);
      continue;
    }
    expect(contender.name).toBe(peer.name);
    await expectResult(contender, spec);
    for (const count of [1, 9]) await contender.run(count);
    await expectResult(contender, spec);
    await contender.dispose();
  }
  return refused;
}

describe('models in ONNX', () => {
  interface Reader {
    readonly pos: number;
    readonly len: number;
    uint32(): number;
    float(): number;
    bytes(): Uint8Array;
    int64(): { toNumber?(): number } | number;
  }
  type Field = number | Uint8Array;
  const text = (bytes: Field | undefined): string => Buffer.from((bytes ?? []) as Uint8Array).toString();

  /** The fields of a message by number, in order; read by wire type alone. */
  function fields(bytes: Field): (number: number) => Field[] {
    const { Reader } = installed('protobufjs/minimal.js') as { Reader: { create(bytes: Uint8Array): Reader } };
    const reader = Reader.create(bytes as Uint8Array);
    const found: [number, Field][] = [];
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      const kind = tag & 7;
      found.push([tag >>> 3, kind === 2 ? reader.bytes() : kind === 5 ? reader.float() : Number(reader.int64())]);
    }
    return (number) => found.flatMap(([each, value]) => (each === number ? [value] : []));
  }

  test('a graph is found again in its bytes: operators, names, attributes, constants, outputs', (context) => {
    needPackages(context);
    const graph: OnnxGraph = {
      nodes: [
        {
          op: 'Widget',
          domain: 'com.microsoft',
          inputs: ['x', '', 'c'],
          outputs: ['y', ''],
          attributes: { axis: { int: -1 }, epsilon: { float: 0.5 }, mode: { text: 'tanh' }, perm: { ints: [2, 0, 1] } },
        },
      ],
      constants: [
        { name: 'c', dims: [2, 1], data: Float32Array.of(1.5, -2) },
        { name: 'n', dims: [1], data: BigInt64Array.of(-3n) },
        { name: 'i', dims: [], data: Int32Array.of(7) },
      ],
      inputs: [{ name: 'x', dims: [4, 300] }],
      outputs: [{ name: 'y', dims: [4] }],
    };
    const model = fields(encodeModel(graph));
    expect(model(1)).toEqual([9]);
    expect(model(8).map((set) => [text(fields(set)(1)[0]), fields(set)(2)[0]])).toEqual([
      ['', 20],
      ['com.microsoft', 1],
    ]);
    const found = fields(model(7)[0]!);
    const node = fields(found(1)[0]!);
    expect([1, 2, 4, 7].map((number) => node(number).map(text))).toEqual([
      ['x', '', 'c'],
      ['y', ''],
      ['Widget'],
      ['com.microsoft'],
    ]);
    const attributes = node(5).map((bytes) => {
      const attribute = fields(bytes);
      return [text(attribute(1)[0]), attribute(2), attribute(3), attribute(4).map(text), attribute(8), attribute(20)];
    });
    expect(attributes).toEqual([
      ['axis', [], [-1], [], [], [2]],
      ['epsilon', [0.5], [], [], [], [1]],
      ['mode', [], [], ['tanh'], [], [3]],
      ['perm', [], [], [], [2, 0, 1], [7]],
    ]);
    const constants = found(5).map((bytes) => {
      const tensor = fields(bytes);
      return [text(tensor(8)[0]), tensor(1), tensor(2)[0], Buffer.from(tensor(9)[0] as Uint8Array).toString('hex')];
    });
    expect(constants).toEqual([
      ['c', [2, 1], 1, '0000c03f000000c0'],
      ['n', [1], 7, 'fdffffffffffffff'],
      ['i', [], 6, '07000000'],
    ]);
    const valueOf = (bytes: Field): unknown[] => {
      const type = fields(fields(fields(bytes)(2)[0]!)(1)[0]!);
      return [text(fields(bytes)(1)[0]), type(1)[0], fields(type(2)[0]!)(1).map((dim) => fields(dim)(1)[0])];
    };
    expect([...found(11), ...found(12)].map(valueOf)).toEqual([
      ['x', 1, [4, 300]],
      ['y', 1, [4]],
    ]);
  });

  test('copies follow one another where shapes allow and stand side by side elsewhere', () => {
    const inputs = (spec: JobSpec): string[] => jobGraph(spec, { copies: 3 }).nodes.map((node) => node.inputs[0]!);
    const square = jobGraph(matmulSpec(3, 4, 4), { copies: 3 });
    expect(square.nodes.map((node) => node.inputs[0])).toEqual([
      square.constants[0]!.name,
      ...square.nodes.slice(0, 2).map((node) => node.outputs[0]!),
    ]);
    expect(new Set(inputs(matmulSpec(3, 5, 4))).size).toBe(1);
    expect(new Set(inputs(rowSpec('softmax', 2, 4))).size).toBe(3);
  });

  test('every name that a graph reads is made before', () => {
    for (const spec of Object.values(specs))
      for (const attention of ['fused', 'plain'] as const) {
        const graph = jobGraph(spec, { attention });
        const made = new Set([...graph.constants.map(({ name }) => name), '']);
        for (const { inputs, outputs } of graph.nodes) {
          expect(inputs.filter((name) => !made.has(name))).toEqual([]);
          for (const name of outputs.filter(Boolean)) {
            expect(made.has(name)).toBe(false);
            made.add(name);
          }
        }
        expect(made.has(graph.output)).toBe(true);
      }
    expect(download([3, 4], 'first').outputs).toEqual([{ name: download([3, 4], 'first').output, dims: [1, 1] }]);
  });
});

describe('what peers compute', () => {
  const opened: Peer[] = [];
  afterAll(async () => {
    for (const peer of opened) await peer.close();
  });
  async function only(open: OpenPeer, context: TestContext): Promise<Peer> {
    const peer = await open();
    if ('missing' in peer) return context.skip(peer.missing);
    opened.push(peer);
    return peer;
  }
  const long = (context: TestContext): void =>
    context.skip(process.env['LIMN_LONG'] !== '1', 'software adapters compile the kernels for minutes: LIMN_LONG=1');

  test("onnxruntime's CPU provider", async (context) => {
    needPackages(context);
    const cpu = await only(openOnnxruntimeCpu, context);
    expect(cpu.name).toMatch(/^onnxruntime cpu \d/);
    expect(await expectAll(cpu)).toEqual([]);
  });

  test("onnxruntime's WebGPU provider", async (context) => {
    needPackages(context);
    long(context);
    const webgpu = await only(openOnnxruntimeWebgpu, context);
    expect(webgpu.name).toMatch(/^onnxruntime webgpu \d/);
    expect(await expectAll(webgpu)).toEqual([]);
  });

  test('jax-js', async (context) => {
    needPackages(context);
    long(context);
    const jax = await only(openJax, context);
    expect(await expectAll(jax, slowForJax)).toEqual([]);
  });

  test('tfjs, which is not asked to decode', async (context) => {
    needPackages(context);
    long(context);
    const tfjs = await only(openTfjs, context);
    expect(await expectAll(tfjs)).toEqual(['the trunk of one token', 'decoding']);
  });

  test('PyTorch, whose CPU time is its own', async (context) => {
    long(context);
    const pytorch = await only(openPytorch(), context);
    expect(await expectAll(pytorch)).toEqual([]);
    const contender = (await pytorch.prepare(matmulSpec(256, 256, 256)))!;
    await contender.run(40);
    const many = contender.lastCpuMilliseconds!();
    await contender.run(1);
    expect(many).toBeGreaterThan(contender.lastCpuMilliseconds!());
    await contender.dispose();
  });
});

describe('peers that are not at hand', () => {
  test('an unknown name is refused with those that there are', async () => {
    await expect(openPeers(['numpy'])).rejects.toThrow(`no peer is called 'numpy'; there are ${PEER_NAMES.join(', ')}`);
  });

  test('a package that is not installed is undefined; one that is there and broken throws', () => {
    expect(installed('limn-no-such-package')).toBeUndefined();
    expect(() => installed(path.join(import.meta.dirname, '../peers/onnx-model.mts'))).toThrow(Error);
  });

  test('a Python that is not there, and one that ends at once, say how to get PyTorch', async () => {
    expect(await openPytorch('limn-no-such-python')()).toEqual({
      missing: expect.stringMatching(/ENOENT.*limn-no-such-python -m pip install torch/) as string,
    });
    expect(await openPytorch('false')()).toEqual({ missing: expect.stringMatching(/false ended with 1/) as string });
  });

  test('a child that reports an error or dies fails the request that it was asked', async () => {
    const say = `process.stdin.on('data', (b) => b.includes('die') ? process.exit(3) : console.log('{"error": "no such job"}'))`;
    const child = new ChildConversation(process.execPath, ['-e', say]);
    await expect(child.ask({ do: 'run' })).rejects.toThrow('no such job');
    await expect(child.ask({ do: 'die' })).rejects.toThrow('ended with 3');
    await expect(child.ask({ do: 'run' })).rejects.toThrow('ended with 3');
    child.end();
  });
});
