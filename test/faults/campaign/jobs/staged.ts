import { defineJob } from 'headway';
import { plan, result } from '../plan-schema.js';
import { runPlan } from '../run-plan.js';

const stages = { first: 1, second: 3, third: 2 };

export default defineJob({
  name: 'staged',
  input: plan,
  result,
  stages,
  concurrency: 10,
  run: (data, ctx) => runPlan(data, ctx, { stages: Object.keys(stages) }),
});
