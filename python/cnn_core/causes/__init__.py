"""What often keeps a network from learning, as sentences with the finding first and the cure after
it: in the data (`causes.data`), in the network (`causes.network`), in how it was trained
(`causes.training`).

Each function measures one kind of finding and yields nothing where there is none.
"""
