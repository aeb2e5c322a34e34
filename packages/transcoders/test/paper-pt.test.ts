// The files of arXiv 2406.11944's code are its formula; what is none of its dictionaries is refused.
import { readFileSync } from 'node:fs';
import { TorchObject, writeTorchFile } from '@limn/hooks';
import { refusal } from '@limn/testing';
import { expect, test } from 'vitest';
import { openPaperFile, readPaperSparsity, reconstructOnHost } from '../src/formats/index.js';
import { filesOf, golden } from './golden-files.js';

const bytesOf = (name: string): Uint8Array => readFileSync(golden('torch', name));
const expected = JSON.parse(readFileSync(golden('torch', 'expected.json'), 'utf8')) as Record<
  'transcoder' | 'sae',
  Record<string, number[]>
> & { readonly logSparsity: number[] };

test("the paper's transcoder: h = (x − b_dec)·W_enc + b_enc, ŷ = a·W_dec + b_dec_out; its config is a record", async () => {
  const stored = await openPaperFile(filesOf({ 'tc.pt': bytesOf('transcoder.pt') }), 'tc.pt');
  expect(stored.config).toMatchObject({ layer: 8, input: 'ln2.hook_normalized', inputWidth: 3, features: 5 });
  expect(stored.provenance).toMatchObject({
    model: 'gpt2-small',
    expects: { gain: 'folded', output: 'centred', preBias: 'subtracted', bos: true },
    training: {
      l1_coefficient: 1.4e-4,
      lr: 4e-4,
      big: String(2n ** 70n),
      names: ['a', 'é', ''],
      use_ghost_grads: [true],
    },
  });
  const { weights } = await stored.read();
  checkFormula(weights, expected.transcoder, expected.transcoder.b_dec_out as number[]);
});

test("the paper's SAE, with parameters, a shared storage and a device in its config", async () => {
  const stored = await openPaperFile(filesOf({ 'sae.pt': bytesOf('sae.pt') }), 'sae.pt');
  expect(stored.config).toMatchObject({ layer: 2, input: 'hook_mlp_out' });
  expect(stored.provenance.training).toMatchObject({
    device: { class: 'torch.device', args: ['cpu'] },
    dtype: 'torch.float32',
  });
  checkFormula((await stored.read()).weights, expected.sae, expected.sae.b_dec as number[]);
});

function checkFormula(
  weights: Parameters<typeof reconstructOnHost>[1],
  { W_enc, b_enc, W_dec, b_dec }: Record<string, number[]>,
  outputBias: readonly number[],
): void {
  const x = [0.3, -1.2, 2];
  const y = [...outputBias];
  for (let f = 0; f < 5; f++) {
    let h = b_enc![f] as number;
    x.forEach((value, i) => (h += (value - b_dec![i]!) * W_enc![i * 5 + f]!));
    y.forEach((_, o) => (y[o] = y[o]! + Math.max(h, 0) * W_dec![f * 3 + o]!));
  }
  const config = {
    layer: 0,
    input: 'ln2.hook_normalized',
    inputWidth: 3,
    outputWidth: 3,
    features: 5,
    activation: { kind: 'relu' },
    skip: false,
  } as const;
  reconstructOnHost(config, weights, Float32Array.from(x)).forEach((value, o) => expect(value).toBeCloseTo(y[o]!, 5));
}

test('how often features fired, by itself and under freqs', async () => {
  const files = filesOf({
    'a.pt': bytesOf('log-sparsity.pt'),
    'b.pt': bytesOf('freqs.pt'),
    'c.pt': bytesOf('sae.pt'),
  });
  for (const name of ['a.pt', 'b.pt'])
    expect([...(await readPaperSparsity(files, name))]).toEqual(expected.logSparsity);
  expect((await refusal(() => readPaperSparsity(files, 'c.pt'))).code).toBe('data/dictionary-pt');
});

test('a state_dict of other tensors, shapes, places or classes is refused', async () => {
  const base: Record<string, string | number | boolean> = {
    hook_point: 'blocks.1.ln2.hook_normalized',
    out_hook_point: 'blocks.1.hook_mlp_out',
    is_transcoder: true,
    d_in: 2,
    d_sae: 3,
  };
  const shapes = { W_enc: [2, 3], b_enc: [3], W_dec: [3, 2], b_dec: [2], b_dec_out: [2] };
  const file = (cfg: object, tensors: Record<string, number[]>) => {
    const state = Object.entries(tensors).map(([name, shape]) => {
      return [name, { shape, data: new Float32Array(shape.reduce((product, n) => product * n, 1)) }] as const;
    });
    const object = new TorchObject('sae_training.config.Other', new Map(Object.entries({ ...base, ...cfg })));
    const root = new Map<string, TorchObject | Map<string, { shape: number[]; data: Float32Array }>>([
      ['cfg', object],
      ['state_dict', new Map(state)],
    ]);
    return openPaperFile(filesOf({ 'a.pt': writeTorchFile(root) }), 'a.pt');
  };
  expect((await file({}, shapes)).config.features).toBe(3);
  const wrong: [object, Record<string, number[]>][] = [
    [{ d_sae: 4 }, shapes],
    [{ d_in: 1e300 }, shapes],
    [{ is_transcoder: 'yes' }, shapes],
    [{ is_transcoder: false }, shapes],
    [{ hook_point: 'blocks.1.attn.hook_z' }, shapes],
    [{ out_hook_point: 'blocks.2.hook_mlp_out' }, shapes],
    [{}, { ...shapes, W_dec: [2, 3] }],
    [{}, { ...shapes, more: [1] }],
    [{}, Object.fromEntries(Object.entries(shapes).slice(1))],
  ];
  for (const [cfg, tensors] of wrong) expect((await refusal(() => file(cfg, tensors))).code).toBe('data/dictionary-pt');
  for (const root of [
    3,
    new Map([['cfg', 1]]),
    new Map([
      ['cfg', 1],
      ['state_dict', 2],
    ]),
  ]) {
    const files = filesOf({ 'a.pt': writeTorchFile(root) });
    expect((await refusal(() => openPaperFile(files, 'a.pt'))).code).toBe('data/dictionary-pt');
  }
});
