/** kafkajs' cluster object, for the few requests that its public clients do not offer. */
import kafkajs from 'kafkajs';
import { faultOf } from './kafka-errors.ts';

interface ClusterCatcher {
  readonly assigner: kafkajs.PartitionAssigner;
  readonly cluster: () => kafkajs.Cluster;
}

/**
 * A round-robin assigner that keeps the cluster which kafkajs passes to it: the one documented way to that object. Pass the
 * assigner to `kafka.consumer`; the cluster is there when that call returns.
 */
export function catchCluster(): ClusterCatcher {
  let caught: kafkajs.Cluster | undefined;
  return {
    assigner: (config) => {
      caught = config.cluster;
      return kafkajs.PartitionAssigners.roundRobin(config);
    },
    cluster: () => {
      if (caught === undefined) throw new TypeError('kafkajs gave the assigner no cluster');
      return caught;
    },
  };
}

/** A cluster by itself: connect and disconnect it like any client. */
export function openCluster(kafka: kafkajs.Kafka): kafkajs.Cluster {
  const { assigner, cluster } = catchCluster();
  kafka.consumer({ groupId: 'unused', partitionAssigners: [assigner], allowAutoTopicCreation: false });
  return cluster();
}

interface GroupMember {
  readonly memberId: string;
  readonly clientId: string;
}

/** Members of a group as its coordinator knows them; none when there is no such group. */
export async function groupMembers(
  cluster: kafkajs.Cluster,
  groupId: string,
): Promise<readonly GroupMember[]> {
  const coordinator = await cluster.findGroupCoordinator({ groupId });
  const answer = (await coordinator.describeGroups({ groupIds: [groupId] })) as {
    readonly groups: readonly { readonly members: readonly GroupMember[] }[];
  };
  return answer.groups.flatMap(({ members }) => members);
}

/**
 * LeaveGroup in another member's name; false when the group does not know it (any more). kafkajs has the request on its
 * broker object but not in its types.
 */
export async function removeMember(
  cluster: kafkajs.Cluster,
  groupId: string,
  memberId: string,
): Promise<boolean> {
  const coordinator = await cluster.findGroupCoordinator({ groupId });
  const leaveGroup: unknown = Reflect.get(coordinator, 'leaveGroup');
  if (typeof leaveGroup !== 'function') throw new TypeError('this kafkajs has no leaveGroup');
  try {
    await (leaveGroup.call(coordinator, { groupId, memberId }) as Promise<unknown>);
    return true;
  } catch (error) {
    if (faultOf(error).type === 'UNKNOWN_MEMBER_ID') return false;
    throw error;
  }
}
