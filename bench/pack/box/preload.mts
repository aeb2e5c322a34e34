// Loads shared libraries into this process, so that whoever asks for one by its name later gets it.
import os from 'node:os';

/** From dlfcn.h of x86-64; Node names the first two only. */
const { RTLD_NOW = 2, RTLD_GLOBAL = 0x100 } = os.constants.dlopen ?? {};
const RTLD_NODELETE = 0x1000;

/** Why a library, by path or by name, did not load; undefined when it did. Node reports a library that is no addon after it is loaded. */
export function load(library: string): string | undefined {
  try {
    process.dlopen({ exports: {} }, library, RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return message.includes('self-register') ? undefined : message;
  }
  return undefined;
}
