// `vi`, as far as kernel tests use it: spies, and variables of the environment.
import { clearAllMocks, fn, isMockFunction, resetAllMocks, restoreAllMocks, spyOn } from '@vitest/spy';

/** What variables were before they were stubbed. */
const variables = new Map<string, string | undefined>();

const setVariable = (name: string, value: string | undefined): void => {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
};

/** Sets a variable, or takes it away, until unstubAllEnvs. */
function stubEnv(name: string, value: string | undefined): void {
  if (!variables.has(name)) variables.set(name, process.env[name]);
  setVariable(name, value);
}

function unstubAllEnvs(): void {
  variables.forEach((value, name) => setVariable(name, value));
  variables.clear();
}

export const vi = {
  clearAllMocks,
  fn,
  isMockFunction,
  resetAllMocks,
  restoreAllMocks,
  spyOn,
  stubEnv,
  unstubAllEnvs,
};
