// What the tests in Node share: one line of TAP for each. The environment is what
// direct_and_pooled in common.sh sets.
const { LABEL } = process.env;
export const PREPARE = process.env.PREPARE === '1';
export const POOL_SIZE = Number(process.env.POOL_SIZE ?? 0); // 0: no pooler
let failures = 0;

export async function test(name, body) {
  const full = LABEL ? `${LABEL}: ${name}` : name;
  try {
    await body();
    console.log('ok -', full);
  } catch (error) {
    console.log(error);
    console.log('not ok -', full);
    failures += 1;
  }
}

export function finish() {
  process.exit(failures > 0 ? 1 : 0);
}
