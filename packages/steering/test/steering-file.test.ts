// Steering files: what is written is read back to the bit with all that is said of it, and every field that is wrong is named.
import { memoryFiles, readSafetensorsHeader, readTensorF32, writeSafetensors } from '@limn/gpt2';
import type { HookName } from '@limn/hooks';
import { refusal } from '@limn/testing';
import { describe, expect, it } from 'vitest';
import {
  positionTable,
  readSteering,
  steeredPlaces,
  steeringFromTensors,
  steeringTensors,
  writeSteering,
  type SteeringMethod,
  type SteeringProvenance,
  type SteeringSpec,
  type SteeringTensor,
  type SteeringValues,
} from '../src/index.js';
import { parameterForms } from '../src/method.js';
import { POSITION_MODES } from '../src/positions.js';

const model = {
  architecture: 'gpt2',
  layers: 3,
  heads: 2,
  headWidth: 5,
  width: 10,
  mlpWidth: 13,
  vocabulary: 31,
  maxPositions: 8,
  block: 'sequential' as const,
  processing: 'none',
  fingerprint: 'a1b2',
};

/** f32 of every kind: both zeros, the smallest and the largest, sevenths, powers. */
const ODD = [0, 1 / 7, -1e-45, 3.4028234663852886e38, 0.1, 1.17549435e-38, 16_777_217, -1 / 3, 1e-8, 123.456];

/** Values of a spec, from the list above on; −0 in those of the probe and the vector. */
function valuesOf(spec: SteeringSpec): SteeringValues {
  let n = 0;
  const places = new Map<HookName, Map<string, Float32Array>>();
  for (const place of steeredPlaces(model, spec)) {
    const own = new Map<string, Float32Array>();
    for (const { name, shape } of parameterForms(spec.method, place, spec.positions.names.length)) {
      const data = Float32Array.from({ length: shape[0] * shape[1] }, () => {
        n++;
        return n <= ODD.length ? (ODD[n - 1] as number) : Math.sin(n) * 10 ** ((n % 9) - 4);
      });
      if (name === 'probe' || name === 'vector') data[0] = -0;
      own.set(name, data);
    }
    places.set(place.at, own);
  }
  return { spec, fingerprint: model.fingerprint, places } as SteeringValues;
}

const PROVENANCE: SteeringProvenance = {
  model,
  objective: { goal: { kind: 'flip', margin: 4, effect: 'hinge' }, faithfulness: 'bucket', faithfulnessWeight: 1 },
  minimality: { weight: 0.01, penalty: 'l1' },
  training: { updates: 300, rate: 0.02, seed: 5 },
  data: { sha256: '0'.repeat(63) + 'f', file: 'capitals.jsonl' },
  metrics: { train: { success: 1 }, validation: [0.5, null], test: { success: 0.9, note: 'é “quoted”' } },
  answers: [[' Paris', ' Rome']],
  tokens: ['<|endoftext|>', 'The', ' capital', ' of', '\n'],
  versions: { limn: '0.1.0', node: '22.1.0' },
  adapter: 'llvmpipe',
  command: 'limn steer train --lambda .01',
  extra: { license: 'MIT', reviewed: { by: 'x' } },
};

const PROMPTS = [
  { length: 5, roles: [undefined, 'subject', undefined, 'relation', 'last'] },
  { length: 5, roles: [undefined, 'subject', undefined, 'relation', 'last'] },
];

const METHODS: readonly SteeringMethod[] = [
  { kind: 'activ-scalar' },
  { kind: 'activ-scalar', form: 'bounded', bound: 2.5 },
  { kind: 'steer-vec' },
  { kind: 'dyn-scalar', probe: 'raw', bias: true, bound: 3 },
  { kind: 'dimension-scale' },
  { kind: 'subspace-scale', rank: 3 },
  { kind: 'gated-scalar', temperature: 0.2 },
];

const SPECS: readonly SteeringSpec[] = METHODS.flatMap((method, i) => [
  {
    method,
    sites: i % 2 === 0 ? ['hook_attn_out', 'hook_mlp_out'] : ['attn.hook_z', 'mlp.hook_post', 'hook_resid_post'],
    positions: positionTable(PROMPTS, POSITION_MODES[i % 4] as 'absolute', { skip: i % 2 }),
  },
  { method, sites: ['hook_mlp_out'], layers: [2, 0], positions: positionTable([], 'none') },
]);

/** Bits of every tensor, by place and name. */
const bitsOf = ({ places }: SteeringValues): object =>
  Object.fromEntries(
    Array.from(places, ([at, own]) => [
      at,
      Object.fromEntries(
        Array.from(own, ([name, data]) => [name, [...new Uint32Array(data.buffer, data.byteOffset, data.length)]]),
      ),
    ]),
  );

/** The text of a file with another value at a path, or none. */
function changed(text: string, path: readonly string[], value?: unknown): string {
  const file = JSON.parse(text) as Record<string, unknown>;
  const owner = path.slice(0, -1).reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], file);
  Object.assign(owner as object, { [path.at(-1) as string]: value });
  return JSON.stringify(file);
}

/** Every path into some JSON, its own first; of lists the first item's. */
function pathsOf(json: unknown, above: readonly string[] = []): string[][] {
  const entries = Array.isArray(json) ? Object.entries(json).slice(0, 1) : Object.entries(json ?? {});
  return entries.flatMap(([key, value]) => [
    [...above, key],
    ...(typeof value === 'object' ? pathsOf(value, [...above, key]) : []),
  ]);
}

const [PLAIN] = SPECS as [SteeringSpec];

describe('a steering file', () => {
  it('gives back every bit, the spec and the provenance of each method and position mode', () => {
    for (const spec of SPECS) {
      const values = valuesOf(spec);
      const text = writeSteering(values, PROVENANCE);
      const found = readSteering(text);
      const what = JSON.stringify(spec.method);
      expect(found.values.spec, what).toEqual(spec);
      expect(found.values.fingerprint).toBe('a1b2');
      expect(bitsOf(found.values), what).toEqual(bitsOf(values));
      expect(found.provenance).toEqual(PROVENANCE);
      expect(writeSteering(found.values, found.provenance)).toBe(text);
    }
  });

  it('writes few numbers as decimals that a person can read, and many as base64', () => {
    const places = new Map(
      steeredPlaces(model, PLAIN).map(({ at }) => [
        at,
        new Map([['alpha' as const, Float32Array.of(0.1, -2, 0, 1e-7, 3)]]),
      ]),
    );
    const text = writeSteering({ spec: PLAIN, fingerprint: 'a1b2', places }, { model });
    expect(text).toContain('"blocks.0.hook_attn_out": {"alpha":{"shape":[5,1],"values":[0.1,-2,0,1e-7,3]}}');
    expect(text).toContain('  "beta": {"0":"untouched","1":"correct","-1":"wrong"},\n');
    const wide: SteeringSpec = {
      ...PLAIN,
      method: { kind: 'steer-vec' },
      positions: positionTable([{ length: 26 }], 'from-end'),
    };
    expect(writeSteering(valuesOf(wide), { model })).toMatch(/"vector":\{"shape":\[26,10\],"base64":"[\w+/]+=*"\}/);
  });

  it('keeps fields that it does not know, at the top and inside of others', () => {
    const file = JSON.parse(writeSteering(valuesOf(PLAIN), PROVENANCE)) as Record<string, Record<string, unknown>>;
    Object.assign(file, { later: [1, { two: 2 }] });
    Object.assign(file.model as object, { hub: 'gpt2' });
    Object.assign(file.positions as object, { note: 'absolute' });
    const text = JSON.stringify(file).replace('{', '{"__proto__":{"polluted":true},');
    const { values, provenance } = readSteering(text);
    const again = JSON.parse(writeSteering(values, provenance)) as Record<string, Record<string, unknown>>;
    expect(again).toMatchObject({ later: [1, { two: 2 }], model: { hub: 'gpt2' }, positions: { note: 'absolute' } });
    expect(Object.entries(again).find(([key]) => key === '__proto__')?.[1]).toEqual({ polluted: true });
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('names the field that is wrong, what it holds and what is allowed', async () => {
    const whole = writeSteering(valuesOf(PLAIN), PROVENANCE);
    const alpha = 'blocks.0.hook_attn_out';
    const wrong: readonly (readonly [field: string, path: readonly string[], value?: unknown])[] = [
      ['format', ['format'], 'activation-scale/2'],
      ['model', ['model'], []],
      ['model.layers', ['model', 'layers'], 1e9],
      ['model.headWidth', ['model', 'headWidth']],
      ['model.fingerprint', ['model', 'fingerprint'], ''],
      ['model.block', ['model', 'block'], 'both'],
      ['method.kind', ['method', 'kind'], 'actadd'],
      ['method', ['method', 'bound'], -1],
      ['method.bias', ['method', 'bias'], 1],
      ['sites', ['sites'], 'hook_attn_out'],
      ['sites', ['sites'], []],
      ['sites[1]', ['sites'], ['hook_mlp_out', 'attn.hook_q']],
      ['layers[0]', ['layers'], [3]],
      ['positions.mode', ['positions', 'mode'], 'sideways'],
      ['positions.names', ['positions', 'names'], ['0', '1', '3', '2', '4']],
      ['positions.names[0]', ['positions', 'names'], [0]],
      ['positions.skip', ['positions', 'skip'], -1],
      ['positions.length', ['positions', 'length'], 6],
      ['positions.length', ['positions'], { mode: 'none', names: ['all'], skip: 0, length: 5 }],
      ['beta.1', ['beta', '1'], 'wrong'],
      ['objective.goal', ['objective', 'goal']],
      ['objective', ['objective', 'faithfulness'], 'kl'],
      ['minimality.weight', ['minimality', 'weight'], '1'],
      ['training.seed', ['training', 'seed'], 0.5],
      ['data.sha256', ['data', 'sha256'], 'abc'],
      ['metrics', ['metrics'], null],
      ['answers[0]', ['answers'], [[' Paris']]],
      ['tokens[1]', ['tokens'], ['a', 2]],
      ['versions.node', ['versions', 'node'], 22],
      ['adapter', ['adapter'], {}],
      ['command', ['command'], ['limn']],
      ['places', ['places']],
      [`places.${alpha}`, ['places', alpha]],
      [`places.${alpha}.alpha`, ['places', alpha], {}],
      [`places.${alpha}.alpha.shape`, ['places', alpha, 'alpha', 'shape'], [5, 2]],
      [`places.${alpha}.alpha.values`, ['places', alpha, 'alpha', 'values'], [1, 2, 3, 4]],
      [`places.${alpha}.alpha.values[2]`, ['places', alpha, 'alpha', 'values', '2'], 1e39],
      [`places.${alpha}.alpha.values[0]`, ['places', alpha, 'alpha', 'values', '0'], null],
      [`places.${alpha}.alpha`, ['places', alpha, 'alpha', 'base64'], `${'A'.repeat(27)}=`],
      ...['A', `${'A'.repeat(26)}==`, `AADA*${'A'.repeat(22)}=`, 5].map(
        (base64) => [`places.${alpha}.alpha.base64`, ['places', alpha, 'alpha'], { shape: [5, 1], base64 }] as const,
      ),
      [`places.${alpha}.vector`, ['places', alpha, 'vector'], { shape: [5, 1], values: [0, 0, 0, 0, 0] }],
      ['places.blocks.7.hook_attn_out', ['places', 'blocks.7.hook_attn_out'], {}],
    ];
    for (const [field, path, value] of wrong) {
      const error = await refusal(() => readSteering(changed(whole, path, value)));
      expect({ code: error.code, field: error.details.field }, field).toEqual({ code: 'data/steering-file', field });
      expect(error.message, field).toContain(`'${field}'`);
      expect(error.hint).toContain('activation-scale/1');
    }
  });

  it('with any value replaced by any other kind is read or refused, and nothing else', async () => {
    for (const spec of [SPECS[0], SPECS[7], SPECS[11]] as readonly SteeringSpec[]) {
      const whole = JSON.parse(writeSteering(valuesOf({ ...spec, layers: [1] }), PROVENANCE)) as Record<
        string,
        unknown
      >;
      let [read, refused] = [0, 0];
      for (const path of pathsOf(whole))
        for (const value of [undefined, null, true, 0, -1, 0.5, 1e308, '', 'x', [], [1], ['x'], {}, { kind: 'x' }]) {
          try {
            readSteering(changed(JSON.stringify(whole), path, value));
            read++;
          } catch (error) {
            expect((error as { code?: string }).code, `${path.join('.')} = ${JSON.stringify(value)}`).toBe(
              'data/steering-file',
            );
            refused++;
          }
        }
      expect(Math.min(read, refused)).toBeGreaterThan(100);
    }
  });

  it('takes base64 of the right length and refuses infinities in it', async () => {
    const text = writeSteering(valuesOf(PLAIN), { model });
    const put = (base64: string): string =>
      changed(text, ['places', 'blocks.0.hook_attn_out', 'alpha'], { shape: [5, 1], base64 });
    const read = readSteering(put(`AADAPwAAAMAAAAAA${'A'.repeat(11)}=`));
    expect(read.values.places.get('blocks.0.hook_attn_out')?.get('alpha')).toEqual(Float32Array.of(1.5, -2, 0, 0, 0));
    const { code } = await refusal(() => readSteering(put(`AACAfwAAAMAAAAAA${'A'.repeat(11)}=`)));
    expect(code).toBe('data/steering-file');
  });

  it('is refused when it was cut anywhere', async () => {
    const text = writeSteering(valuesOf({ ...PLAIN, layers: [1] }), PROVENANCE).trimEnd();
    for (let length = 0; length < text.length; length += 7)
      expect((await refusal(() => readSteering(text.slice(0, length)))).code).toBe('data/steering-file');
  });

  it('is not written for values that are not finite, do not fit, or belong to another model', async () => {
    const values = valuesOf(PLAIN);
    const with_ = (alpha: Float32Array): SteeringValues => ({
      ...values,
      places: new Map([...values.places, ['blocks.1.hook_mlp_out', new Map([['alpha', alpha]])]]),
    });
    const fieldOf = async (given: SteeringValues, provenance: SteeringProvenance = { model }) =>
      (await refusal(() => writeSteering(given, provenance))).details.field;
    expect(await fieldOf(with_(Float32Array.of(1, Number.NaN, 0, 0, 0)))).toBe(
      'places.blocks.1.hook_mlp_out.alpha.values[1]',
    );
    expect(await fieldOf(with_(Float32Array.of(1, 2)))).toBe('places.blocks.1.hook_mlp_out.alpha.values');
    expect(await fieldOf(values, { model: { ...model, fingerprint: 'other' } })).toBe('model.fingerprint');
    expect(await fieldOf(values, { model, extra: { tokens: [] } })).toBe('extra.tokens');
  });
});

describe('steering tensors', () => {
  it('go through a safetensors file to the bit', async () => {
    for (const spec of SPECS) {
      const values = valuesOf(spec);
      const { tensors, metadata } = steeringTensors(values, PROVENANCE);
      const files = memoryFiles({ 's.safetensors': writeSafetensors(tensors, metadata) });
      const header = await readSafetensorsHeader(files, 's.safetensors');
      const read = new Map<string, SteeringTensor>();
      for (const [name, entry] of header.tensors)
        read.set(name, { shape: entry.shape, data: await readTensorF32(files, entry) });
      const found = steeringFromTensors({ tensors: read, metadata: Object.fromEntries(header.metadata) });
      expect(found.values.spec).toEqual(spec);
      expect(bitsOf(found.values)).toEqual(bitsOf(values));
      expect(found.provenance).toEqual(PROVENANCE);
    }
  });

  it('are refused when one is missing, has another shape, is too many, or the metadata is another file', async () => {
    const { tensors, metadata } = steeringTensors(valuesOf(PLAIN), { model });
    const fieldOf = async (changed: ReadonlyMap<string, SteeringTensor>, meta = metadata) =>
      (await refusal(() => steeringFromTensors({ tensors: changed, metadata: meta }))).details.field;
    const name = 'blocks.2.hook_mlp_out.alpha';
    const without = new Map([...tensors].filter(([each]) => each !== name));
    expect(await fieldOf(without)).toBe(name);
    expect(await fieldOf(new Map([...tensors, [name, { shape: [1, 5], data: new Float32Array(5) }]]))).toBe(name);
    const bad = { shape: [5, 1], data: new Float32Array(5).fill(Number.POSITIVE_INFINITY) };
    expect(await fieldOf(new Map([...tensors, [name, bad]]))).toBe(name);
    expect(await fieldOf(new Map([...tensors, ['wte.weight', bad]]))).toBe('tensors');
    expect(await fieldOf(tensors, { ...metadata, format: 'pt' })).toBe('metadata.format');
    expect(await fieldOf(tensors, { ...metadata, steering: '[' })).toBe('the file');
  });
});
