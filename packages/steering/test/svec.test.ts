// .svec files of activation-steering: read to the f32, put where that library puts them, and every wrong field named.
import { refusal } from '@limn/testing';
import { describe, expect, it } from 'vitest';
import { readSvec, steeringFromSvec } from '../src/index.js';

/** As Python's json.dump writes what SteeringVector.save gives it: numbers in full, layers as text, from the last to the first. */
const FILE = `{"model_type": "gpt2", "directions": {"2": [0.1, -0.0, 1e-45], "0": [0.30000001192092896, -0.5, 2]}, "explained_variances": {"2": 0.62, "0": 1.0}}`;
const info = { architecture: 'gpt2', layers: 3, width: 3, fingerprint: 'a1b2' };

describe('.svec', () => {
  it('holds vectors by layer, rounded to f32, and what they explain', () => {
    const { modelType, directions, explainedVariances } = readSvec(FILE);
    expect(modelType).toBe('gpt2');
    expect(Object.fromEntries(directions)).toEqual({
      0: Float32Array.of(0.3, -0.5, 2),
      2: Float32Array.of(0.1, -0, 1e-45),
    });
    expect(Object.is(directions.get(2)?.[1], -0)).toBe(true);
    expect(Object.fromEntries(explainedVariances)).toEqual({ 0: 1, 2: 0.62 });
  });

  it('is steering of what enters its layers, or of what leaves them', () => {
    const file = readSvec(FILE);
    const { values, notices } = steeringFromSvec(file, info);
    expect(values.spec).toEqual({
      method: { kind: 'steer-vec' },
      sites: ['hook_resid_pre'],
      layers: [0, 2],
      positions: { mode: 'none', names: ['all'], skip: 0 },
    });
    expect([...values.places.keys()]).toEqual(['blocks.0.hook_resid_pre', 'blocks.2.hook_resid_pre']);
    expect(values.places.get('blocks.0.hook_resid_pre')?.get('vector')).toEqual(Float32Array.of(0.3, -0.5, 2));
    expect(notices).toEqual([]);
    const behind = steeringFromSvec(file, info, { site: 'hook_resid_post' });
    expect([...behind.values.places.keys()]).toEqual(['blocks.0.hook_resid_post', 'blocks.2.hook_resid_post']);
  });

  it('fits only a model of its width and depth, and says when the architecture is another', async () => {
    const file = readSvec(FILE);
    for (const other of [{ layers: 2 }, { width: 4 }])
      expect((await refusal(() => steeringFromSvec(file, { ...info, ...other }))).code).toBe('data/steering-fit');
    expect(steeringFromSvec(file, { ...info, architecture: 'llama' }).notices).toEqual([
      "The file was made for the architecture 'gpt2'; this model is 'llama'.",
    ]);
  });

  it('names the field that is wrong', async () => {
    const of = (change: object): string => JSON.stringify({ ...(JSON.parse(FILE) as object), ...change });
    const wrong: readonly (readonly [field: string, text: string])[] = [
      ['the file', ''],
      ['the file', '[]'],
      ['the file', FILE.replace('0.62', 'NaN')],
      ['model_type', of({ model_type: 3 })],
      ['model_type', of({ model_type: undefined })],
      ['directions', of({ directions: [[1]] })],
      ['directions', of({ directions: {} })],
      ['directions.-1', of({ directions: { '-1': [1] } })],
      ['directions.1.5', of({ directions: { '1.5': [1] } })],
      ['directions.10000', of({ directions: { '10000': [1] } })],
      ['directions.__proto__', FILE.replace('"0":', '"__proto__":')],
      ['directions.1', of({ directions: { '0': [1, 2], '1': [1, 2, 3] } })],
      ['directions.0.length', of({ directions: { '0': [] } })],
      ['directions.0', of({ directions: { '0': '1,2' } })],
      ['directions.0[1]', of({ directions: { '0': [1, '2'] } })],
      ['directions.0[0]', of({ directions: { '0': [1e39] } })],
      ['explained_variances', of({ explained_variances: undefined })],
      ['explained_variances.0', of({ explained_variances: { '0': null } })],
      ['explained_variances.all', of({ explained_variances: { all: 1 } })],
    ];
    for (const [field, text] of wrong) {
      const { code, details, hint } = await refusal(() => readSvec(text));
      expect({ code, field: details.field }, text).toEqual({ code: 'data/steering-svec', field });
      expect(hint).toContain('SteeringVector.save');
    }
    for (let length = 0; length < FILE.length; length++)
      expect((await refusal(() => readSvec(FILE.slice(0, length)))).code).toBe('data/steering-svec');
  });
});
