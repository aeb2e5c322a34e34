// What names mean, and what the environment variables of Hugging Face's tools say.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { refusal } from '@limn/testing';
import { afterAll, describe, expect, test } from 'vitest';
import { placeOf } from '../src/hub/place.js';
import { hubCacheFolder, hubEndpoint, hubOffline, hubToken } from '../src/node.js';

const home = mkdtempSync(path.join(os.tmpdir(), 'limn-settings-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe('names and settings', () => {
  test.each([
    ['gpt2', 'gpt2', 'main'],
    ['openai-community/gpt2', 'openai-community/gpt2', 'main'],
    ['a/b.c_d@v1.0', 'a/b.c_d', 'v1.0'],
    ['gpt2@refs/pr/3', 'gpt2', 'refs/pr/3'],
  ])('%s is an id', (name, id, revision) => expect(placeOf(name)).toEqual({ kind: 'hub', id, revision }));

  test.each(['./gpt2', '../gpt2', '/gpt2', '~/gpt2', 'C:\\gpt2', 'd:/gpt2', '.', 'file:///gpt2', '\\\\server\\gpt2'])(
    '%s is a path',
    (name) => expect(placeOf(name).kind).toBe('path'),
  );

  test.each([
    '', 'a/b/c', 'a//b', '-a', 'a/..', 'a--b', 'a/b.git', 'a b', 'a%2fb', 'gpt2/', 'a/b@', 'a/b@..', 'a/b@x/../y', 'a/b@/x', 'a/b@x y',
    'a\0b', 'ftp://x/y', `a/${'b'.repeat(97)}`, 'gpt2@main@x', 'gpt2@a.lock',
  ])('%j is neither', async (name) => expect((await refusal(() => placeOf(name))).code).toBe('hub/bad-id')); // prettier-ignore

  test('two revisions contradict each other', async () => {
    expect(placeOf('gpt2@v1', 'v1')).toEqual({ kind: 'hub', id: 'gpt2', revision: 'v1' });
    expect((await refusal(() => placeOf('gpt2@v1', 'v2'))).code).toBe('hub/bad-id');
  });

  test('the environment says where the cache is, which hub, and whether to stay offline', () => {
    const user = os.homedir();
    expect(hubCacheFolder({})).toBe(path.join(user, '.cache/huggingface/hub'));
    expect(hubCacheFolder({ XDG_CACHE_HOME: '/x' })).toBe('/x/huggingface/hub');
    expect(hubCacheFolder({ HF_HOME: '~/hf', XDG_CACHE_HOME: '/x' })).toBe(path.join(user, 'hf/hub'));
    expect(hubCacheFolder({ HF_HOME: '/h', HUGGINGFACE_HUB_CACHE: '/old' })).toBe('/old');
    expect(
      hubCacheFolder({ HF_HUB_CACHE: '$BIG/${NAME}/hub', BIG: '/big', NAME: 'n', HUGGINGFACE_HUB_CACHE: '/old' }),
    ).toBe('/big/n/hub');
    expect(hubEndpoint({})).toBe('https://huggingface.co');
    expect(hubEndpoint({ HF_ENDPOINT: 'https://mirror.example' })).toBe('https://mirror.example');
    expect(['1', 'ON', 'yes', 'True'].every((HF_HUB_OFFLINE) => hubOffline({ HF_HUB_OFFLINE }))).toBe(true);
    expect([undefined, '', '0', 'no'].some((HF_HUB_OFFLINE) => hubOffline({ HF_HUB_OFFLINE }))).toBe(false);
    expect(hubOffline({ TRANSFORMERS_OFFLINE: '1' })).toBe(true);
  });

  test('the token comes from the environment or its file, and is never shown', async () => {
    const file = path.join(home, 'token');
    writeFileSync(file, 'hf_from_file\n');
    expect(await hubToken({ HF_TOKEN: ' hf_a ', HF_TOKEN_PATH: file })).toBe('hf_a');
    expect(await hubToken({ HF_TOKEN_PATH: file })).toBe('hf_from_file');
    expect(await hubToken({ HF_HOME: home })).toBe('hf_from_file');
    expect(await hubToken({ HF_HOME: path.join(home, 'none') })).toBeUndefined();
    expect(await hubToken({ HF_TOKEN: 'hf_a', HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' })).toBeUndefined();
    const error = await refusal(hubToken({ HF_TOKEN: 'hf_secret\r\nx: y' }));
    expect(error.code).toBe('hub/token');
    expect(JSON.stringify(error)).not.toContain('secret');
  });
});
