import { defineJob } from 'headway';
import { plan, result } from '../plan-schema.mjs';
import { runPlan } from '../witness.mjs';

const stages = { first: 1, second: 3, third: 2 };

export default defineJob({
  name: 'staged',
  input: plan,
  result,
  stages,
  concurrency: 10,
  run: (data, ctx) => runPlan({ ...data, stages: Object.keys(stages) }, ctx),
});
