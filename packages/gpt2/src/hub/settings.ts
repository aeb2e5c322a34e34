// The environment variables that Hugging Face tools share: where the cache is, which hub, which token, and whether to stay offline.
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { LimnError } from '@limn/gpu';

/** Names and values, as in process.env. */
export type Environment = Readonly<Record<string, string | undefined>>;

const set = (value: string | undefined): string | undefined =>
  value === undefined || value === '' ? undefined : value;
const isTrue = (value: string | undefined): boolean => /^(1|on|yes|true)$/i.test(value ?? '');

/** `~` and `$NAME` at the places where Python expands them. */
function expanded(file: string, env: Environment): string {
  const home = file === '~' || file.startsWith('~/') ? path.join(os.homedir(), file.slice(1)) : file;
  return home.replace(
    /\$(?:\{(\w+)\}|(\w+))/g,
    (whole, braced?: string, bare?: string) => env[braced ?? bare ?? ''] ?? whole,
  );
}

function hubHome(env: Environment): string {
  const base = set(env['XDG_CACHE_HOME']) ?? path.join(os.homedir(), '.cache');
  return expanded(set(env['HF_HOME']) ?? path.join(base, 'huggingface'), env);
}

/** HF_HUB_CACHE, or HUGGINGFACE_HUB_CACHE, or hub in HF_HOME, which is ~/.cache/huggingface unless XDG_CACHE_HOME moves it. */
export function hubCacheFolder(env: Environment = process.env): string {
  const stated = set(env['HF_HUB_CACHE']) ?? set(env['HUGGINGFACE_HUB_CACHE']);
  return stated === undefined ? path.join(hubHome(env), 'hub') : expanded(stated, env);
}

/** HF_ENDPOINT, or the Hugging Face Hub. */
export function hubEndpoint(env: Environment = process.env): string {
  return set(env['HF_ENDPOINT']) ?? 'https://huggingface.co';
}

/** HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE: 1, on, yes or true. */
export function hubOffline(env: Environment = process.env): boolean {
  return isTrue(set(env['HF_HUB_OFFLINE']) ?? env['TRANSFORMERS_OFFLINE']);
}

/**
 * HF_TOKEN, or what `hf auth login` wrote to HF_TOKEN_PATH (HF_HOME/token), unless HF_HUB_DISABLE_IMPLICIT_TOKEN is set.
 * @throws LimnError `hub/token` for one that cannot be sent; it never shows the token.
 */
export async function hubToken(env: Environment = process.env): Promise<string | undefined> {
  if (isTrue(env['HF_HUB_DISABLE_IMPLICIT_TOKEN'])) return undefined;
  const stated = set(env['HF_TOKEN']) ?? set(env['HUGGING_FACE_HUB_TOKEN']);
  const place = expanded(set(env['HF_TOKEN_PATH']) ?? path.join(hubHome(env), 'token'), env);
  // No token is no fault: most models need none.
  const token = (stated ?? (await readFile(place, 'utf8').catch(() => ''))).trim();
  if (token === '') return undefined;
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new LimnError(
    'hub/token',
    `the token in ${stated === undefined ? place : 'HF_TOKEN'} holds characters that no token has`,
    {
      hint: 'Copy it again; it is one word.',
    },
  );
}
