// The committed model folder: files equal to what the code writes, and a tokenizer that another library reads.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { Tokenizer } from '@huggingface/tokenizers';
import { Random, VOCABULARY, decode, drawDocument } from '@limn/tasks';
import { RECIPE, modelFiles, modelFolder, tokenizerConfigJson, tokenizerJson } from '@limn/pocket';

describe('model folder', () => {
  it('holds exactly the generated files', async () => {
    for (const [name, text] of Object.entries(modelFiles(RECIPE.model))) {
      expect(await readFile(new URL(name, modelFolder()), 'utf8')).toBe(text);
    }
  });

  it('has the recorded weights, and a card that names the measured ones', async () => {
    const folder = modelFolder();
    const bytes = await readFile(new URL('model.safetensors', folder));
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(
      '0d5ef58d5ebafd9c6457323edd12a92f1470f73576c7a670fd7d1a86a34db330',
    );
    const { weightsSha256 } = JSON.parse(await readFile(new URL('figures.json', folder), 'utf8')) as {
      weightsSha256: string;
    };
    expect(await readFile(new URL('README.md', folder), 'utf8')).toContain(`weights ${weightsSha256}`);
  });

  it('has sizes that the kernels like', () => {
    const { vocabulary, width, heads, mlpWidth } = RECIPE.model;
    expect(vocabulary).toBe(VOCABULARY.length);
    expect([width % 32, mlpWidth % 32, width / heads]).toEqual([0, 0, 16]);
  });
});

describe('tokenizer.json in @huggingface/tokenizers', () => {
  const tokenizer = new Tokenizer(tokenizerJson(), tokenizerConfigJson(RECIPE.model.positions));

  it('round-trips documents', () => {
    const random = new Random('round-trip');
    for (let i = 0; i < 300; i++) {
      const ids = [0, ...drawDocument(random).tokens];
      const text = decode(ids);
      expect(tokenizer.encode(text).ids).toEqual(ids);
      expect(tokenizer.decode(ids, { skip_special_tokens: false })).toBe(text);
    }
  });

  it('turns an unknown word into the end-of-text token and puts nothing in front', () => {
    expect(tokenizer.encode('the zebra').ids).toEqual([VOCABULARY.indexOf('the'), 0]);
  });
});
