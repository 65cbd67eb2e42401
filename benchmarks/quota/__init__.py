"""Does a connector use the quota that its platform gives, all of it and no more?"""
