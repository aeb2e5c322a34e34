// Hook names: which exist, what their tensors look like, aliases, and what a misspelt one is answered with.
import { LimnError } from '@limn/gpu';
import { describe, expect, test } from 'vitest';
import {
  actName,
  blockHook,
  hookNames,
  nearest,
  nearestFirst,
  parseHookName,
  suggestHookName,
  tryParseHookName,
  type HookName,
} from '../src/index.js';

const model = { layers: 12, block: 'sequential' } as const;

describe('hook names', () => {
  test('a sequential model has 22 sites a block and 4 outside; a parallel one has no resid_mid', () => {
    expect(hookNames(model)).toHaveLength(22 * 12 + 4);
    expect(new Set(hookNames(model)).size).toBe(22 * 12 + 4);
    const parallel = hookNames({ layers: 12, block: 'parallel' });
    expect(parallel).toHaveLength(21 * 12 + 4);
    expect(parallel.some((name) => name.endsWith('resid_mid'))).toBe(false);
  });

  test('queries and keys have a place behind the rotation in rotary models only', () => {
    const rotary = { ...model, rotary: true };
    expect(hookNames(rotary).filter((name) => !hookNames(model).includes(name))).toEqual(
      Array.from({ length: 12 }, (_, l) => [blockHook(l, 'attn.hook_rot_q'), blockHook(l, 'attn.hook_rot_k')]).flat(),
    );
    expect(actName('rot_q', 3, undefined, rotary)).toBe('blocks.3.attn.hook_rot_q');
    expect(() => parseHookName('blocks.3.attn.hook_rot_k', model)).toThrow(
      expect.objectContaining({ code: 'hooks/unknown-site', message: expect.stringContaining('does not rotate') }),
    );
  });

  test('every name parses to itself', () => {
    for (const name of hookNames(model)) expect(parseHookName(name, model).name).toBe(name);
    expect(parseHookName('blocks.3.attn.hook_pattern', model)).toEqual({
      name: 'blocks.3.attn.hook_pattern',
      layer: 3,
      site: 'attn.hook_pattern',
      axes: 'BHTS',
    });
  });

  test('TransformerLens-3 aliases mean the classic names', () => {
    const pairs = {
      'blocks.2.hook_in': 'blocks.2.hook_resid_pre',
      'blocks.2.hook_out': 'blocks.2.hook_resid_post',
      'blocks.2.attn.q.hook_out': 'blocks.2.attn.hook_q',
      'blocks.2.attn.k.hook_out': 'blocks.2.attn.hook_k',
      'blocks.2.attn.v.hook_out': 'blocks.2.attn.hook_v',
      'blocks.2.mlp.hook_out': 'blocks.2.hook_mlp_out',
      'embed.hook_out': 'hook_embed',
      'pos_embed.hook_out': 'hook_pos_embed',
    };
    for (const [alias, name] of Object.entries(pairs)) expect(tryParseHookName(alias)?.name).toBe(name);
    // The structure page of TransformerLens gives this one two meanings.
    expect(tryParseHookName('blocks.2.attn.hook_out')).toBeUndefined();
  });

  test.each([
    ['blocks.3.attn.hook_q', true],
    ['blocks.03.attn.hook_q', false],
    ['blocks.-1.attn.hook_q', false],
    ['blocks.1e1.attn.hook_q', false],
    ['blocks.3.constructor', false],
    ['__proto__', false],
    ['toString', false],
    ['', false],
  ])('%j parses: %s', (text, parses) => {
    expect(tryParseHookName(text) !== undefined).toBe(parses);
  });

  test('a misspelt name is answered with the nearest ones, a layer too far with the range', () => {
    expect(suggestHookName('blocks.3.hook_mpl_out', model)[0]).toBe('blocks.3.hook_mlp_out');
    expect(suggestHookName('hook_emebd', model)[0]).toBe('hook_embed');
    const refused = (text: string, owner: Parameters<typeof parseHookName>[1] = model): LimnError => {
      try {
        parseHookName(text, owner);
      } catch (error) {
        if (error instanceof LimnError) return error;
      }
      throw new Error(`${text} was accepted`);
    };
    expect(refused('blocks.3.attn.hook_zz')).toMatchObject({
      code: 'hooks/unknown-site',
      hint: expect.stringContaining('blocks.3.attn.hook_z,'),
    });
    expect(refused('blocks.12.attn.hook_q').message).toContain('blocks 0–11');
    expect(refused('blocks.0.hook_resid_mid', { layers: 2, block: 'parallel' }).message).toContain('parallel');
    expect(refused('x'.repeat(1e6)).message.length).toBeLessThan(400);
  });

  test.each([
    ['eap-ig', 'eap-ig-inputs'],
    ['EXAKT', 'exact'],
    ['e', 'eap'],
    ['clean', 'clean-corrupted'],
    ['', 'eap'],
  ])('%j means %s: the name that it begins, else the nearest', (given, meant) => {
    expect(nearest(given, ['eap', 'eap-ig-inputs', 'clean-corrupted', 'exact'])).toBe(meant);
  });

  test('the nearest names come with the others behind them, equally near ones in their order', () => {
    expect(nearest('x'.repeat(1e6), ['eap', 'exact'])).toBe('exact');
    expect(nearestFirst('abd', ['xyz', 'abc', 'abe', 'abdomen'])).toEqual(['abdomen', 'abc', 'abe', 'xyz']);
    expect(suggestHookName('blocks.3.hook_resid', model)).toEqual([
      'blocks.3.hook_resid_pre',
      'blocks.3.hook_resid_mid',
      'blocks.3.hook_resid_post',
    ]);
  });

  test.each([
    ['pattern', 'blocks.0.attn.hook_pattern'],
    ['patern', 'blocks.0.attn.hook_pattern'],
    ['hook_patern', 'blocks.0.attn.hook_pattern'],
    ['attn.patern', 'blocks.0.attn.hook_pattern'],
    ['blocks.7.patern', 'blocks.7.attn.hook_pattern'],
    ['blocks.7.hook_pattern', 'blocks.7.attn.hook_pattern'],
    ['patern7', 'blocks.7.attn.hook_pattern'],
    ['z', 'blocks.0.attn.hook_z'],
    ['mpl_out', 'blocks.0.hook_mlp_out'],
    ['ln2.scal', 'blocks.0.ln2.hook_scale'],
    ['final.scale', 'ln_final.hook_scale'],
    ['emebd', 'hook_embed'],
  ])('the short name %j means %s', (given, meant) => {
    expect(suggestHookName(given, model)[0]).toBe(meant);
  });

  test('a text that names no block is answered with different sites', () => {
    expect(suggestHookName('resid', model)).toEqual([
      'blocks.0.hook_resid_pre',
      'blocks.0.hook_resid_mid',
      'blocks.0.hook_resid_post',
    ]);
  });

  test('the type of a name is checked by the compiler', () => {
    const name: HookName = blockHook(3, 'attn.hook_z');
    // @ts-expect-error a misspelt site does not compile
    const wrong: HookName = 'blocks.3.attn.hook_zz';
    expect([name, wrong]).toEqual(['blocks.3.attn.hook_z', 'blocks.3.attn.hook_zz']);
  });
});
