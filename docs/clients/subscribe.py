# Prints every call of a run or a bus, from the first one on and through lost connections.
#
#   python3 subscribe.py 127.0.0.1:7413
import sys
import time

import grpc

import results_pb2 as pb
from results_pb2_grpc import ResultsStub

address = sys.argv[1]

# Keep it where your program keeps what it has made of the events, and nothing is missed or seen twice.
last_seen = 0
while True:
    try:
        # A new channel tries at once; one that failed before waits for longer and longer.
        with grpc.insecure_channel(address, options=[("grpc.keepalive_time_ms", 20_000)]) as channel:
            for event in ResultsStub(channel).Subscribe(pb.SubscribeRequest(kinds=["call"], after=last_seen)):
                call = event.call
                print(event.seq, event.experiment, call.plate, call.well, call.treatment, f"{call.probability:.3f}", flush=True)
                last_seen = event.seq
        break  # the run is over
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.UNAVAILABLE:
            raise
        print(f"{error.details()}; again after event {last_seen}", file=sys.stderr)
        time.sleep(1)
