import { getHeadway } from '../../../headway.ts';

async function handle(request: Request): Promise<Response> {
  const headway = await getHeadway();
  return headway.fetch(request);
}

export { handle as DELETE, handle as GET, handle as OPTIONS, handle as PATCH, handle as POST };
