// One cache folder for limn and Python's huggingface_hub: each finds what the other downloaded. `LIMN_HUB_PYTHON=python3 npx vitest run test/hub-python.test.ts`
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { openModel } from '../src/node.js';
import { sha256Of } from './hub/server.js';
import { files, useHub } from './hub/use-hub.js';

const here = useHub();
const noNetwork: typeof fetch = async (input) => {
  throw new Error(`asked for ${String(input)}`);
};

/** Runs Python with huggingface_hub 2.4 or later, named by LIMN_HUB_PYTHON. */
const python = process.env['LIMN_HUB_PYTHON'];
const runPython = async (code: string, env: Record<string, string>): Promise<string[]> =>
  (await promisify(execFile)(python as string, ['-c', code], { env: { ...process.env, ...env } })).stdout
    .trim()
    .split('\n');

/** The names that Python finds of a revision, `_CACHED_NO_EXIST` as null. */
const lookUp = `
import json, sys
from huggingface_hub import hf_hub_download, scan_cache_dir, try_to_load_from_cache, _CACHED_NO_EXIST
def found(name, revision):
    place = try_to_load_from_cache('tiny/gpt2', name, revision=revision)
    return 'absent' if place is _CACHED_NO_EXIST else None if place is None else open(place, 'rb').read().hex()[:16]
`;

describe('one cache with Python', () => {
  const offline = (): Record<string, string> => ({ HF_HUB_CACHE: here.cacheDir, HF_HUB_OFFLINE: '1' });
  const online = (): Record<string, string> => ({
    HF_HUB_CACHE: here.cacheDir,
    HF_ENDPOINT: here.hub.endpoint,
    HF_HUB_DISABLE_XET: '1',
  });
  const names = ['config.json', 'model.safetensors', 'vocab.json', 'merges.txt'];
  const fromPython = `for name in ${JSON.stringify(names)}: hf_hub_download('tiny/gpt2', name)`;
  const skip = (context: { skip(condition: boolean, reason: string): void }): void =>
    context.skip(python === undefined, 'LIMN_HUB_PYTHON names no Python with huggingface_hub');

  test('Python finds what is downloaded here, under branch, tag and commit', async (context) => {
    skip(context);
    for (const revision of ['main', 'v1.0', 'refs/pr/1'])
      await openModel('tiny/gpt2', { endpoint: here.hub.endpoint, cacheDir: here.cacheDir, token: false, revision });
    const start = (name: string): string =>
      Buffer.from(files.get(name) as Uint8Array)
        .subarray(0, 8)
        .toString('hex');
    const look = `${lookUp}
for revision in ['main', 'v1.0', 'refs/pr/1', '${here.hub.commit}']:
    print(json.dumps([found(name, revision) for name in ${JSON.stringify([...names, 'tokenizer.json', 'README.md'])}]))
print(hf_hub_download('tiny/gpt2', 'model.safetensors', local_files_only=True))
seen = scan_cache_dir()
print(len(seen.warnings), sum(len(revision.files) for repo in seen.repos for revision in repo.revisions))`;
    const line = JSON.stringify([...names.map(start), 'absent', null]).replaceAll(',', ', ');
    expect(await runPython(look, offline())).toEqual([
      line,
      line,
      line,
      line,
      path.join(here.cacheDir, 'models--tiny--gpt2/snapshots', here.hub.commit, 'model.safetensors'),
      '0 4',
    ]);
  });

  test('here is found what Python downloads, beside what an earlier Python left unfinished', async (context) => {
    skip(context);
    const blobs = path.join(here.cacheDir, 'models--tiny--gpt2/blobs');
    mkdirSync(blobs, { recursive: true });
    const digest = sha256Of(files.get('model.safetensors') as Uint8Array);
    for (const left of [`${digest}.incomplete`, `${digest}.0a1b2c3d.incomplete`])
      writeFileSync(path.join(blobs, left), 'half of something');
    await runPython(`${lookUp}${fromPython}`, online());
    const source = await openModel('tiny/gpt2', { cacheDir: here.cacheDir, offline: true, fetch: noNetwork });
    expect([...(await source.list())].sort()).toEqual([...names].sort());
    expect(sha256Of(await source.read('model.safetensors'))).toBe(digest);
    // And a model of which Python has only begun is completed here, beside its leftovers.
    rmSync(path.join(here.cacheDir, 'models--tiny--gpt2/snapshots'), { recursive: true });
    rmSync(path.join(blobs, digest));
    writeFileSync(path.join(blobs, `${digest}.0a1b2c3d.incomplete`), 'half of something');
    const again = await openModel('tiny/gpt2', { cacheDir: here.cacheDir, endpoint: here.hub.endpoint, token: false });
    expect(sha256Of(await again.read('model.safetensors'))).toBe(digest);
    expect(await runPython(`${lookUp}print(found('model.safetensors', 'main') is not None)`, offline())).toEqual([
      'True',
    ]);
  });

  test('both at once on one cache: both have the model', async (context) => {
    skip(context);
    here.hub.fail(/^contents/, (_request, _response, serve) => void setTimeout(serve, 1500));
    const [source] = await Promise.all([
      openModel('tiny/gpt2', { cacheDir: here.cacheDir, endpoint: here.hub.endpoint, token: false }),
      runPython(`${lookUp}${fromPython}`, online()),
    ]);
    const digest = sha256Of(files.get('model.safetensors') as Uint8Array);
    expect(sha256Of(await source.read('model.safetensors'))).toBe(digest);
    expect(
      readdirSync(path.join(here.cacheDir, 'models--tiny--gpt2/blobs')).filter((name) => name.includes('.')),
    ).toEqual([]);
    expect(await runPython(`${lookUp}print(len(scan_cache_dir().warnings))`, offline())).toEqual(['0']);
  });
});
